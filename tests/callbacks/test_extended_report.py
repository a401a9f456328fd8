import csv
import json

import numpy as np
import pytest
import torch
from lightning.pytorch import Trainer

from lesionseg import Segmenter, SyntheticDataModule
from lesionseg.callbacks.score_report import ScoreReport
from lesionseg.metrics import average_surface_distance, brier_score


@pytest.mark.filterwarnings("ignore")
def test_extended_report(tmp_path, capsys):
    torch.manual_seed(0)
    model = Segmenter("segan", network_arguments={"width": 2}, size=(32, 32)).eval()
    data = SyntheticDataModule(size=(32, 32), test_length=3, batch_size=2)
    reports = [
        ScoreReport(str(tmp_path / "plain"), images=0),
        ScoreReport(str(tmp_path / "more"), images=0, extended=True, tolerance=4, spacing=0.1),
    ]
    for report in (*reports, reports[1]):  # again over its own files
        trainer = Trainer(
            accelerator="cpu", logger=False, enable_progress_bar=False, callbacks=[report],
            default_root_dir=tmp_path,
        )  # fmt: skip
        trainer.test(model, data, verbose=False)
    more, plain = tmp_path / "more", tmp_path / "plain"
    assert sorted(path.name for path in plain.iterdir()) == ["scores.csv", "scores.json"]
    assert (more / "scores.csv").read_bytes() == (plain / "scores.csv").read_bytes()
    content = json.loads((more / "scores.json").read_text())
    assert (
        content["macro_average"] == json.loads((plain / "scores.json").read_text())["macro_average"]
    )
    assert content["extended"]["tolerance"] == 4

    with (more / "extended.csv").open() as file:
        rows = {row["image"]: row for row in csv.DictReader(file)}
    samples = [data.datasets["test"][index] for index in range(3)]
    with torch.no_grad():
        for sample in samples:
            probability = torch.sigmoid(model(sample["image"][None]))
            row = rows[sample["id"]]
            expected = brier_score(probability, sample["truth"][None])
            assert float(row["brier_score"]) == pytest.approx(expected.item(), abs=1e-6)
            expected = average_surface_distance(
                probability > model.threshold, sample["truth"][None], 0.1
            )
            assert float(row["average_surface_distance"]) == pytest.approx(expected.item())
    bins = np.genfromtxt(more / "reliability.csv", delimiter=",", names=True)
    assert bins["pixels"].sum() == sum(sample["truth"].numel() for sample in samples)
    assert "beyond overlap: mean over images, distances in millimeters" in capsys.readouterr().out
