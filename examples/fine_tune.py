# ---
# jupyter:
#   jupytext:
#     text_representation:
#       extension: .py
#       format_name: percent
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
# ---

# %% [markdown]
# # Fine-tune on my folder
#
# A pretrained model adapts to your own images with few of them. A folder of images with their masks
# is enough: `a.jpg` and `a_mask.png`, or the folders `images` and `masks`. Here, drawn lesions
# stand in for your images; set `folder` to your own.

# %%
import logging
import tempfile
import warnings
from pathlib import Path

from lightning.pytorch import Trainer, seed_everything
from lightning.pytorch.callbacks import ModelCheckpoint

import lesionseg
from lesionseg import ASNet, FolderDataModule
from lesionseg.data import SyntheticLesions
from lesionseg.inference.outputs import save_mask
from lesionseg.visualization import contact_sheet, to_picture

try:
    from IPython.display import display
except ImportError:
    display = print  # run as plain Python

warnings.filterwarnings("ignore", module="lightning")
logging.getLogger("lightning.pytorch").setLevel(logging.ERROR)
seed_everything(0, verbose=False)

folder = Path(tempfile.mkdtemp())
for sample in SyntheticLesions(length=40, size=(96, 128), seed=11):
    to_picture(sample["image"]).save(folder / f"{sample['id']}.png")
    save_mask(sample["mask"][0].numpy(), folder / f"{sample['id']}_mask.png")

# %% [markdown]
# A fifth of the images is held out, and another eight, which no choice depends on, are the test.

# %%
images = [path for path in sorted(folder.iterdir()) if "_mask" not in path.name]
masks = [path.with_name(f"{path.stem}_mask.png") for path in images]
data = FolderDataModule(
    train_images=images[:32],
    train_masks=masks[:32],
    test_images=images[32:],
    test_masks=masks[32:],
    size=(96, 128),
    batch_size=4,
    augmentation=["horizontal_flip", "vertical_flip", "rotation"],
)

# %% [markdown]
# ## Before
#
# The official scores of the model as it comes.

# %%
trainer = Trainer(logger=False, enable_progress_bar=False, enable_model_summary=False)
(before,) = trainer.test(lesionseg.from_pretrained("asnet-lite"), data, verbose=False)
print(f"Jaccard {before['test/jaccard']:.3f}")

# %% [markdown]
# ## Train
#
# `init_from` starts from the pretrained weights. A small learning rate, and a smaller one for the
# encoder, keep what they know. The best epoch on the held-out images is kept.

# %%
model = ASNet(
    encoder="efficientnet_lite0",
    init_from="asnet-lite",
    optimizer="adamw",
    learning_rate=3e-4,
    encoder_learning_rate=1e-4,
    schedule="one-cycle",
)
best = ModelCheckpoint(folder / "checkpoints", "best", monitor="val/jaccard", mode="max")
trainer = Trainer(
    max_epochs=4,
    callbacks=[best],
    logger=False,
    enable_progress_bar=False,
    enable_model_summary=False,
)
trainer.fit(model, data)
print(f"best held-out Jaccard {best.best_model_score:.3f}")

# %% [markdown]
# The same as a command:
#
# ```bash
# lesionseg fit --config asnet-lite-isic2018 --model.init_from asnet-lite \
#   --data FolderDataModule --data.root FOLDER
# ```

# %% [markdown]
# ## After

# %%
(after,) = trainer.test(
    model, data, ckpt_path=best.best_model_path, weights_only=True, verbose=False
)
print(f"Jaccard {before['test/jaccard']:.3f} before, {after['test/jaccard']:.3f} after")

pretrained = lesionseg.segment(images[32:36])
tuned = lesionseg.segment(images[32:36], best.best_model_path)
sheet = [(result.overlay(), "before") for result in pretrained]
sheet += [(result.overlay(), "after") for result in tuned]
display(contact_sheet(sheet, columns=4, width=160))

# %% [markdown]
# The checkpoint can be used wherever a model is named: `lesionseg segment --model best.ckpt`,
# `lesionseg export best.ckpt`, `lesionseg app --model best.ckpt`.
