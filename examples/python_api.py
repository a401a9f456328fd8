"""Train ASNet on synthetic lesions with the Python API, test it, and segment an image."""

import argparse
from pathlib import Path

from lightning.pytorch import Trainer, seed_everything
from lightning.pytorch.callbacks import ModelCheckpoint
from lightning.pytorch.loggers import CSVLogger

import lesionseg
from lesionseg import ASNet, SyntheticDataModule
from lesionseg.data import SyntheticLesions
from lesionseg.inference.outputs import save_mask, save_overlay
from lesionseg.visualization import to_picture


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--epochs", type=int, default=8)
    parser.add_argument("--size", type=int, nargs=2, default=(96, 128), help="height and width")
    parser.add_argument("--images", type=int, default=320, help="number of training images")
    parser.add_argument("--output", type=Path, default=Path("runs/python_api"))
    options = parser.parse_args()
    seed_everything(0)

    # Images are generated on the fly. ISICDataModule and FolderDataModule are used in the same way.
    data = SyntheticDataModule(
        train_length=options.images,
        val_length=max(4, options.images // 8),
        test_length=max(4, options.images // 8),
        size=tuple(options.size),
        batch_size=8,
    )

    # The defaults are the paper's, which start from ImageNet weights (encoder_weights="imagenet").
    # From scratch, AdamW with one cycle of the learning rate converges sooner.
    model = ASNet(optimizer="adamw", learning_rate=1e-3, weight_decay=1e-2, schedule="one-cycle")

    # The best epoch has the highest mean Jaccard index over the validation images.
    best = ModelCheckpoint(options.output, "best", monitor="val/jaccard", mode="max")
    trainer = Trainer(
        max_epochs=options.epochs,
        callbacks=[best],
        logger=CSVLogger(options.output, name="", version="log"),
        log_every_n_steps=10,
    )
    trainer.fit(model, data)

    # The official ISIC scores, and their table with a row for each image.
    (scores,) = trainer.test(model, data, ckpt_path=best.best_model_path, weights_only=True)
    model.test_table.to_csv(options.output / "scores.csv")
    print(f"Jaccard {scores['test/jaccard']:.3f}; worst images: {model.test_table.worst(3)}")

    # Predictions come batch by batch, each image at its original size.
    batches = trainer.predict(model, data, ckpt_path=best.best_model_path, weights_only=True)
    for prediction in (prediction for batch in batches for prediction in batch):
        save_mask(prediction.mask, options.output / "masks" / f"{prediction.id}.png")

    # A single image (a path, a PIL image, an array or a tensor) needs no Trainer or DataModule.
    image = to_picture(SyntheticLesions(1, size=(240, 320), seed=1)[0]["image"])
    result = lesionseg.segment(image, best.best_model_path)
    save_overlay(image, result.mask, options.output / "overlay.png")
    print(f"{result.mask.mean():.1%} of the image is lesion")


if __name__ == "__main__":
    main()
