"""How far a fit is, for other processes to read."""

from lightning.pytorch import Trainer
from lightning.pytorch.callbacks import Callback

from lesionseg import Segmenter, SyntheticDataModule
from lesionseg.callbacks.fit_display import ProgressFile


def shares_of(path, seconds=0.0, **limits):
    found = []

    class Reads(Callback):
        def on_train_batch_end(self, *_):
            found.append(float(path.read_text()))

    trainer = Trainer(
        accelerator="cpu",
        logger=False,
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
        num_sanity_val_steps=0,
        limit_val_batches=0,
        callbacks=[ProgressFile(str(path), seconds), Reads()],
        **limits,
    )
    data = SyntheticDataModule(4, 2, 2, size=(32, 32), batch_size=2, augmentation=[])
    trainer.fit(Segmenter("segan", {"width": 2}, schedule="constant"), data)
    return found


def test_it_rises_to_one_with_epochs_or_steps(tmp_path):
    assert shares_of(tmp_path / "a", max_epochs=2) == [0.25, 0.5, 0.75, 1]
    assert shares_of(tmp_path / "b", max_epochs=-1, max_steps=5) == [0.2, 0.4, 0.6, 0.8, 1]


def test_it_is_not_written_at_every_step(tmp_path):
    assert shares_of(tmp_path / "a", seconds=60, max_epochs=2) == [0.25] * 4
