import json

import numpy as np
import pytest
from PIL import Image

from lesionseg.cli.main import main
from lesionseg.metrics import ScoreTable
from lesionseg.scoring import score_predictions, score_predictions_extended


@pytest.fixture
def folders(tmp_path):
    """Three pairs: an offset square, a miss, and a prediction too dark to count."""
    square = np.zeros((30, 40), np.uint8)
    square[10:20, 10:20] = 255
    dark = np.where(square > 0, 100, 0).astype(np.uint8)
    soft = np.roll(square, 3, axis=1)
    soft[0, 0] = 90  # soft edges, so that the dark mask counts as empty with a warning
    pairs = [(square, soft), (square, 0 * square), (square, dark)]
    for name in ("truth", "mine"):
        (tmp_path / name).mkdir()
    for number, pair in enumerate(pairs):
        for name, mask in zip(("truth", "mine"), pair, strict=True):
            Image.fromarray(mask).save(tmp_path / name / f"ISIC_000000{number}.png")
    return tmp_path / "truth", tmp_path / "mine"


def test_official_scores_are_the_same_and_emptied_masks_are_misses(folders):
    table, extended = score_predictions_extended(*folders, tolerance=3, spacing=0.1)
    np.testing.assert_array_equal(table.counts, score_predictions(*folders).counts)
    scores = extended.scores
    assert scores["hausdorff_95"] == pytest.approx([0.3, 5, 5])  # the diagonal is 50 pixels
    assert scores["average_surface_distance"][1:] == pytest.approx([5, 5])
    assert scores["surface_dice"].tolist() == [1, 0, 0]
    assert scores["boundary_iou"][1:].tolist() == [0, 0]


def test_command(folders, tmp_path, capsys):
    truth, mine = map(str, folders)
    csv = tmp_path / "scores.csv"
    for _ in range(2):  # its own files may be replaced
        assert main(["score", truth, mine, "--extended", "--csv", str(csv)]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "3 images, official score: mean over images"
    assert any(line.startswith("hausdorff_95") for line in lines)
    assert len(ScoreTable.from_csv(csv)) == 3
    rows = (tmp_path / "extended.csv").read_text().splitlines()
    assert rows[0] == "image,hausdorff_95,average_surface_distance,surface_dice,boundary_iou"
    assert rows[1].startswith("ISIC_0000000,3.0,")
    assert main(["score", truth, mine, "--extended", "--output", "json"]) == 0
    extended = json.loads(capsys.readouterr().out)["extended"]
    assert extended["unit"] == "pixel"
    assert extended["mean"]["hausdorff_95"] == pytest.approx(103 / 3)


def test_options_that_do_nothing_are_refused(folders, tmp_path, capsys):
    truth, mine = map(str, folders)
    assert main(["score", truth, mine, "--spacing", "0.1"]) == 1
    assert "--spacing and --tolerance are for --extended" in capsys.readouterr().err
    csv = str(tmp_path / "extended.csv")
    assert main(["score", truth, mine, "--extended", "--csv", csv]) == 1
    assert "give --csv another name" in capsys.readouterr().err
    assert main(["score", truth, mine, "--extended", "--tolerance", "-1"]) == 1
    assert "expected tolerance to be at least 0" in capsys.readouterr().err
