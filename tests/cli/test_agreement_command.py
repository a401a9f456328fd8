import json

import numpy as np
import pytest
from PIL import Image

from lesionseg.cli import main as cli


def write(path, offset, size=(20, 60)):
    mask = np.zeros(size, np.uint8)
    mask[:, 10 + offset : 30 + offset] = 255
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(mask).save(path)


@pytest.fixture
def people(tmp_path):
    """Two images by two annotators whose masks are 4 columns apart, Jaccard 16 / 24."""
    for id_ in ("a", "b"):
        (tmp_path / "images").mkdir(exist_ok=True)
        Image.new("RGB", (60, 20), "tan").save(tmp_path / "images" / f"{id_}.jpg")
        write(tmp_path / "masks" / f"{id_}_ann.png", 0)
        write(tmp_path / "masks" / f"{id_}_bob.png", 4)
        write(tmp_path / "mine" / f"{id_}_segmentation.png", 2)  # 18 / 22 with each
    return tmp_path


def test_people_and_predictions_in_one_table(people, capsys):
    out = people / "table.md"
    arguments = ["agreement", str(people / "masks"), "--predictions", str(people / "mine")]
    assert cli.main([*arguments, "--markdown", str(out)]) == 0
    said = capsys.readouterr().out
    assert said.startswith("jaccard of 2 images and 2 annotators")
    (line,) = [line for line in said.splitlines() if line.startswith("another annotator")]
    assert line.endswith(" 2 0.667 (0.67 to 0.67) 0.818 (0.82 to 0.82) 0.152 (0.15 to 0.15)")
    assert "| STAPLE of others | 2 | 0.667" in out.read_text()
    assert cli.main([*arguments, "--markdown", str(out)]) == 0  # ours, may be replaced


def test_json_and_another_score(people, capsys):
    assert cli.main(["agreement", str(people / "masks"), "--score", "dice", "-o", "json"]) == 0
    content = json.loads(capsys.readouterr().out)
    assert content["score"] == "dice"
    assert content["rows"][0]["human"][0] == pytest.approx(0.8)
    assert content["rows"][0]["model"] is None


def test_a_model_with_its_uncertainty(people, monkeypatch, capsys):
    """A model that doubts exactly where the annotators disagree."""
    from lesionseg.inference import Segmentation, loading

    probability = np.zeros((20, 60), np.float32)
    probability[:, 14:30], probability[:, 10:14], probability[:, 30:34] = 1, 0.6, 0.4
    found = Segmentation(probability > 0.5, probability)
    monkeypatch.setattr(loading, "load_predictor", lambda *_: lambda image: found)
    images = str(people / "images")
    assert cli.main(["agreement", str(people / "masks"), "--images", images, "--model", "m"]) == 0
    said = capsys.readouterr().out
    assert "AUROC 1.000 (1.00 to 1.00)" in said
    assert "another annotator       2 0.667 (0.67 to 0.67) 0.833" in said


def remove(path):
    path.unlink()


@pytest.mark.parametrize(
    ("damage", "options", "message"),
    [
        (lambda p: None, ["--model", "mobilegan"], "--model needs the images"),
        (lambda p: None, ["--model", "nobody", "--images", "{p}/images"], "no checkpoint nobody"),
        (lambda p: None, ["--min-annotators", "3"], "masks of 3 annotators or more"),
        (lambda p: None, ["--min-annotators", "0"], "at least 1, got 0"),
        (lambda p: write(p / "masks" / "b_bob.png", 0, (20, 50)), [], "60 x 20 and 50 x 20"),
        (
            lambda p: write(p / "mine" / "b_segmentation.png", 0, (20, 50)),
            ["--predictions", "{p}/mine"],
            "the prediction {p}/mine/b_segmentation.png is 50 x 20 pixels",
        ),
        (
            lambda p: remove(p / "mine" / "b_segmentation.png"),
            ["--predictions", "{p}/mine"],
            "1 of 2 images have no prediction in {p}/mine: b; predict every image",
        ),
        (
            lambda p: [remove(p / "masks" / f"b_{name}.png") for name in ("ann", "bob")],
            ["--images", "{p}/images"],
            "1 of 2 images have no mask in {p}/masks: b; add masks",
        ),
        (
            lambda p: remove(p / "images" / "b.jpg"),
            ["--images", "{p}/images"],
            "belong to none of the images: b_ann.png, b_bob.png",
        ),
        (
            lambda p: (p / "t.csv").write_text("image,mask\n"),
            ["--metadata", "{p}/t.csv"],
            "no column",
        ),
    ],
)
def test_one_sentence_for_each_mistake(people, damage, options, message, capsys):
    damage(people)
    filled = [option.format(p=people) for option in options]
    assert cli.main(["agreement", str(people / "masks"), *filled]) == 1
    said = capsys.readouterr().err
    assert message.format(p=people) in said
    assert said.count("\n") == 1
