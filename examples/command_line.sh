#!/bin/sh
# The commands in the order of use: fit, test, predict, segment, score.
# Every variable can be set in the environment: EPOCHS=1 OUTPUT=runs/try sh examples/command_line.sh
set -eu

OUTPUT=${OUTPUT:-runs/command_line} # folder of all results
EPOCHS=${EPOCHS:-8}
SIZE=${SIZE:-[96,128]} # height and width of the network's input
IMAGES=${IMAGES:-320}  # synthetic images for training; an eighth as many for the test
PYTHON=${PYTHON:-python3}

lesionseg() { "$PYTHON" -m lesionseg.cli "$@"; } # not needed if `lesionseg` is on the PATH

# 1. Train. --data ISICDataModule --data.root DIR --data.year 2018 takes the challenge's data,
#    --data FolderDataModule your own.
lesionseg fit --model ASNet --model.optimizer adamw --model.learning_rate 0.001 \
  --model.schedule one-cycle --data SyntheticDataModule --data.size "$SIZE" \
  --data.train_length "$IMAGES" --data.val_length 8 --data.batch_size 8 \
  --trainer.max_epochs "$EPOCHS" \
  --trainer.logger.init_args.save_dir "$OUTPUT" --trainer.logger.init_args.version fit

CHECKPOINT=$OUTPUT/fit/checkpoints/best.ckpt

# 2. The official score of the test images. The checkpoint names the model and its size.
lesionseg test --ckpt_path "$CHECKPOINT" --data SyntheticDataModule \
  --data.test_length $((IMAGES / 8)) --trainer.logger false --report.directory "$OUTPUT/test"

# 3. Masks at the original size, overlays and the zip for the challenge.
lesionseg predict --ckpt_path "$CHECKPOINT" --data SyntheticDataModule \
  --data.test_length $((IMAGES / 8)) --trainer.logger false \
  --output.directory "$OUTPUT/predict"

# 4. Photographs, here five synthetic ones, need only the checkpoint.
"$PYTHON" - "$OUTPUT" <<'END'
import sys
from pathlib import Path

from lesionseg.data import SyntheticLesions
from lesionseg.inference.outputs import save_mask
from lesionseg.visualization import to_picture

photographs, truth = Path(sys.argv[1], "photographs"), Path(sys.argv[1], "truth")
photographs.mkdir(parents=True, exist_ok=True)
for number, sample in enumerate(SyntheticLesions(5, size=(240, 320), seed=1)):
    to_picture(sample["image"]).save(photographs / f"ISIC_{number:07d}.png")
    save_mask(sample["mask"][0].bool(), truth / f"ISIC_{number:07d}_segmentation.png")
END
lesionseg segment "$OUTPUT/photographs" --model "$CHECKPOINT" --output "$OUTPUT/masks" --no-overlays

# 5. Score any masks against the truth, folders or zips, as the challenge does.
lesionseg score "$OUTPUT/truth" "$OUTPUT/masks"
