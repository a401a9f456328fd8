import json
import time

from lightning.pytorch import Trainer
from lightning.pytorch.demos.boring_classes import BoringModel

from lesionseg.evaluation.step_timer import StepTimer

SLEEP = 0.02


class Slow(BoringModel):
    def training_step(self, batch, batch_idx):
        time.sleep(SLEEP)
        return super().training_step(batch, batch_idx)

    def test_step(self, batch, batch_idx):
        time.sleep(SLEEP)


def test_steps_are_timed_and_counted(tmp_path):
    trainer = Trainer(
        accelerator="cpu",
        max_epochs=2,
        limit_train_batches=4,
        limit_val_batches=0,
        limit_test_batches=1,  # less than a warm-up
        logger=False,
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
        callbacks=[StepTimer(str(tmp_path))],
    )
    model = Slow()
    trainer.fit(model)
    trainer.test(model, verbose=False)
    for stage in ("fit", "test"):
        timed = json.loads((tmp_path / f"{stage}.json").read_text())
        assert timed["step_seconds"] >= SLEEP
        assert timed["steps"] >= 1
