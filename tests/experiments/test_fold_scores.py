import csv
import json
import statistics

import numpy as np
import pytest
from PIL import Image

from lesionseg.errors import InvalidDataError
from lesionseg.experiments.fold_scores import FoldScores, markdown
from lesionseg.metrics import SCORE_NAMES
from lesionseg.metrics.table import ScoreTable


def table(first, count, seed):
    counts = np.random.default_rng(seed).integers(1, 500, (count, 4))
    return ScoreTable([f"ISIC_{first + number:07d}" for number in range(count)], counts)


@pytest.fixture
def scores():
    return FoldScores([table(0, 7, 0), table(7, 7, 1), table(14, 6, 2)])


def test_folds_and_images_are_averaged_apart(scores):
    folds = [one.summary()["jaccard"] for one in scores.tables]
    assert scores.mean("jaccard") == pytest.approx(statistics.mean(folds))
    assert scores.std("jaccard") == pytest.approx(np.std(folds, ddof=1))
    together = np.concatenate([one.scores["jaccard"] for one in scores.tables])
    summary = scores.summary()
    assert summary["over_images"]["jaccard"]["mean"] == pytest.approx(together.mean())
    assert summary["over_images"]["jaccard"]["std"] == pytest.approx(together.std())
    assert summary["over_folds"]["jaccard"]["mean"] == pytest.approx(np.mean(folds))
    assert summary["images"] == 20
    assert [fold["images"] for fold in summary["folds"]] == [7, 7, 6]


def test_an_image_in_two_folds_is_refused():
    with pytest.raises(InvalidDataError, match="ISIC_0000006"):
        FoldScores([table(0, 7, 0), table(6, 7, 1)])
    with pytest.raises(InvalidDataError, match="no fold"):
        FoldScores([])


def test_the_files_hold_what_the_terminal_shows(scores, tmp_path):
    scores.write(tmp_path)
    with (tmp_path / "folds.csv").open() as stream:
        rows = list(csv.reader(stream))
    assert rows == scores.rows()
    assert (tmp_path / "folds.md").read_text() == markdown(rows) + "\n"
    assert json.loads((tmp_path / "folds.json").read_text()) == scores.summary()
    assert ScoreTable.from_csv(tmp_path / "scores.csv").ids == scores.images.ids
    with Image.open(tmp_path / "folds.png") as plot:
        assert plot.size[0] > 300
        assert len(plot.convert("RGB").getcolors(1_000_000)) > 10
    text = scores.render()
    assert max(map(len, text.splitlines())) <= 80
    for name in SCORE_NAMES:
        assert f"{scores.mean(name):.4f} +- {scores.std(name):.4f}" in text


def test_folds_are_read_from_their_folders(scores, tmp_path):
    folders = [tmp_path / f"fold_{number}" for number in range(3)]
    for folder, one in zip(folders, scores.tables, strict=True):
        one.to_csv(folder / "scores.csv")
    assert FoldScores.read(folders).summary() == scores.summary()
