"""Colors of what is drawn and scales of what is written."""

from types import SimpleNamespace

import numpy as np
import pytest
import torch
from lightning.pytorch import Trainer
from lightning.pytorch.loggers import CSVLogger
from PIL import Image
from torch import nn
from torch.utils.data import DataLoader

from lesionseg.callbacks.overlay_logger import OverlayLogger
from lesionseg.callbacks.prediction_writer import MaskWriter
from lesionseg.callbacks.score_report import overlay_sheet
from lesionseg.data.datasets.sample import collate_samples
from lesionseg.inference.outputs import save_map, save_overlay
from lesionseg.metrics.table import ScoreTable
from lesionseg.models import Segmenter
from lesionseg.models.base import Prediction
from lesionseg.networks import SegmentationNetwork

GREEN, RED = (0, 255, 0), (255, 0, 0)
SIZE = (40, 60)


class OnTheRight(SegmentationNetwork):
    """Finds a lesion in the right third, with a probability of 0.6."""

    def __init__(self):
        super().__init__()
        self.weight = nn.Parameter(torch.zeros(1))

    def forward(self, image):
        column = torch.arange(image.shape[-1]).expand(len(image), 1, *image.shape[-2:])
        lesion = column >= 2 * image.shape[-1] // 3
        return torch.where(lesion, 0.4055, -3.0) + 0 * self.weight


def model(threshold):
    made = Segmenter("mobilegan", threshold=threshold)
    made.network = OnTheRight()
    return made


@pytest.fixture
def sample():
    """A gray image whose lesion is in the left third."""
    mask = torch.zeros(1, *SIZE)
    mask[..., : SIZE[1] // 3] = 1
    truth = (255 * mask[0]).byte()
    return {
        "image": torch.full((3, *SIZE), 0.5),
        "mask": mask,
        "id": "a",
        "size": SIZE,
        "truth": truth,
    }


def thirds_of(picture, color):
    """Which thirds of a picture have pixels of a color; LANCZOS may leave it a little off."""
    off = np.abs(np.asarray(picture.convert("RGB")).astype(int) - color).max(-1)
    columns = (off < 40).any(0).nonzero()[0] / picture.width
    return sorted({int(3 * one) for one in columns.tolist()})


def check(sheet, found=True):
    tile = sheet.crop((8, 8, 8 + 256, 8 + 171))  # the margin of a sheet and its tiles' size
    assert thirds_of(tile, GREEN) == [0]
    assert thirds_of(tile, RED) == ([2] if found else [])


@pytest.mark.filterwarnings("ignore:.*num_workers")
@pytest.mark.parametrize(("threshold", "found"), [(0.5, True), (0.7, False)])
def test_validation_overlays_show_the_truth_in_green_and_the_prediction_in_red(
    threshold, found, sample, tmp_path
):
    trainer = Trainer(
        accelerator="cpu",
        logger=CSVLogger(tmp_path, name="", version="run"),
        callbacks=[OverlayLogger()],
        enable_progress_bar=False,
        enable_model_summary=False,
        enable_checkpointing=False,
    )
    data = DataLoader([sample], batch_size=1, collate_fn=collate_samples)
    trainer.validate(model(threshold), data, verbose=False)
    (path,) = tmp_path.rglob("overlays/*.png")
    with Image.open(path) as sheet:
        check(sheet, found)


def test_test_overlays_show_the_truth_in_green_and_the_prediction_in_red(sample):
    class One(list):
        ids = ("a",)

    table = ScoreTable(["a"], np.array([[1, 2, 3, 4]]))
    sheet = overlay_sheet(model(0.5).eval(), One([sample]), table, images=3)
    check(sheet)


def test_a_written_overlay_is_red(tmp_path):
    mask = np.zeros(SIZE, bool)
    mask[10:30, 45:55] = True
    save_overlay(Image.new("RGB", SIZE[::-1], (128, 128, 128)), mask, tmp_path / "a.png")
    with Image.open(tmp_path / "a.png") as picture:
        drawn = np.asarray(picture)
    assert tuple(drawn[10, 45]) == RED
    assert {tuple(one) for one in drawn.reshape(-1, 3)} == {RED, (128, 128, 128)}


@pytest.mark.parametrize("found", [0.0, 1e-5, 0.25, 0.5, 0.7, 1.0])
def test_a_written_map_has_16_bits_and_65535_is_1(found, tmp_path):
    save_map(np.full((2, 3), found, np.float32), tmp_path / "map.png")
    with Image.open(tmp_path / "map.png") as written:
        assert written.mode.startswith("I;16")
        values = np.asarray(written)
    assert values.shape == (2, 3)
    assert set(values.flat) == {round(65535 * found)}


def test_probability_and_uncertainty_are_written_at_that_scale(tmp_path, sample):
    writer = MaskWriter(str(tmp_path), probabilities=True, overlays=False)
    one = Prediction(
        id="a",
        probability=torch.tensor([[0.1, 0.8]]),
        mask=torch.tensor([[False, True]]),
        uncertainty=torch.tensor([[0.02, 0.3]]),
    )
    trainer = SimpleNamespace(predict_dataloaders=None)
    writer.write_on_batch_end(trainer, None, [one], None, {"image": None}, 0, 0)
    for name, expected in (
        ("probabilities/a_probability.png", [6554, 52428]),
        ("uncertainty/a_uncertainty.png", [1311, 19660]),
        ("masks/a_segmentation.png", [0, 255]),
    ):
        with Image.open(tmp_path / name) as written:
            values = np.asarray(written)[0].astype(int)
        assert np.abs(values - expected).max() <= (1 if max(expected) > 255 else 0)
