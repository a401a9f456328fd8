import os

import pytest
import torch
from lightning.pytorch import Trainer

from lesionseg import Segmenter, SyntheticDataModule
from lesionseg.callbacks import score_report
from lesionseg.callbacks.score_report import ScoreReport

pytestmark = pytest.mark.filterwarnings("ignore")


def test_a_killed_test_does_not_look_finished(tmp_path, monkeypatch):
    """A job of several tests skips those with ``scores.csv``."""

    def killed(*arguments):
        raise SystemExit("killed")

    left = tmp_path / "masks" / ".unfinished-abc.png"
    left.parent.mkdir()
    left.touch()
    os.utime(left, (0, 0))
    torch.manual_seed(0)
    model = Segmenter("segan", network_arguments={"width": 2}, size=(32, 32)).eval()
    data = SyntheticDataModule(size=(32, 32), test_length=3, batch_size=2)
    trainer = Trainer(
        accelerator="cpu", logger=False, enable_progress_bar=False, default_root_dir=tmp_path,
        callbacks=[ScoreReport(str(tmp_path / "out"), mask_directory=str(left.parent))],
    )  # fmt: skip
    with monkeypatch.context() as patch:
        patch.setattr(score_report, "save_picture", killed)
        with pytest.raises(SystemExit):
            trainer.test(model, data, verbose=False)
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["scores.json"]
    trainer.test(model, data, verbose=False)
    names = sorted(path.name for path in (tmp_path / "out").iterdir())
    assert names == ["overlays.png", "scores.csv", "scores.json"]
    assert len(list(left.parent.iterdir())) == 3
    assert not left.exists()
