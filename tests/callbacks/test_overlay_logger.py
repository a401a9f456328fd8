"""Pictures while training, in the run's folder and in TensorBoard."""

import pytest
from lightning.pytorch import Trainer
from lightning.pytorch.loggers import CSVLogger, TensorBoardLogger
from PIL import Image

from lesionseg import Segmenter, SyntheticDataModule
from lesionseg.callbacks.overlay_logger import OverlayLogger


@pytest.mark.parametrize("kind", [CSVLogger, TensorBoardLogger])
def test_a_sheet_for_each_validation(kind, tmp_path):
    data = SyntheticDataModule(4, 3, 1, size=(32, 32), batch_size=2, augmentation=[])
    trainer = Trainer(
        accelerator="cpu",
        max_epochs=2,
        logger=kind(tmp_path, name="", version="run"),
        callbacks=[OverlayLogger(images=3)],
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
    )
    trainer.fit(Segmenter("smp:unet/resnet18"), data)
    sheets = sorted((tmp_path / "run" / "overlays").iterdir())
    assert [path.name for path in sheets] == ["epoch-000.png", "epoch-001.png"]
    assert Image.open(sheets[0]).width > 3 * 256
    if kind is TensorBoardLogger:
        from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

        events = EventAccumulator(str(tmp_path / "run"))
        events.Reload()
        assert len(events.Images("val/overlays")) == 2


def test_arguments_are_checked():
    with pytest.raises(ValueError, match="images"):
        OverlayLogger(images=-1)
