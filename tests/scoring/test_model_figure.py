"""``lesionseg figure``: rows of image, truth and each model's prediction with its Jaccard index."""

import numpy as np
import pytest
import torch
from PIL import Image

from lesionseg import Segmenter, visualization
from lesionseg.cli import figure
from lesionseg.cli import main as cli
from lesionseg.inference import Segmentation
from lesionseg.scoring import figure as drawing
from lesionseg.scoring import model_figure


def left(share):
    """A predictor that finds the left part of any image."""

    def predict(image):
        mask = np.zeros((image.height, image.width), bool)
        mask[:, : round(share * image.width)] = True
        return Segmentation(mask, mask.astype(np.float32))

    return predict


@pytest.fixture
def tiles(monkeypatch):
    """The pictures and captions of the figure, and the number of its columns."""
    seen = []

    def keep(tiles, columns, width):
        seen.append((tiles, columns))
        return visualization.contact_sheet(tiles, columns=columns, width=width)

    monkeypatch.setattr(drawing, "contact_sheet", keep)
    return seen


def sample(name="a", height=40, width=60):
    truth = np.zeros((height, width), bool)
    truth[:, : width // 2] = True
    return name, Image.new("RGB", (width, height), "blue"), truth


def test_a_row_has_image_truth_and_a_column_for_each_model(tiles):
    rows = [sample("a"), sample("b", 30, 30)]
    model_figure(rows, {"half": left(1 / 2), "all": left(1)})
    ((shown, columns),) = tiles
    assert columns == 4
    assert [caption for _, caption in shown] == [
        *("a", "truth", "half  J 1.000", "all  J 0.500"),
        *("b", "truth", "half  J 1.000", "all  J 0.500"),
    ]


def test_outlines_are_green_for_the_truth_and_red_for_the_prediction(tiles):
    model_figure([sample()], {"more": left(3 / 4)})
    (((image, _), (truth, _), (both, _)), _) = tiles[0]
    red, green = visualization.PREDICTION_COLOR, visualization.TRUTH_COLOR
    assert np.unique(np.asarray(image).reshape(-1, 3), axis=0).tolist() == [[0, 0, 255]]
    assert truth.getpixel((29, 20)) == both.getpixel((29, 20)) == green
    assert truth.getpixel((45, 20)) == both.getpixel((45, 20)) == (0, 0, 255)
    assert {truth.getpixel((x, 20)) for x in range(60)} == {green, (0, 0, 255)}
    assert both.getpixel((44, 20)) == red
    assert {both.getpixel((x, 20)) for x in range(60)} == {green, red, (0, 0, 255)}


def test_masks_are_white_on_black(tiles):
    model_figure([sample()], {"all": left(1)}, style="masks")
    (((_, _), (truth, _), (prediction, _)), _) = tiles[0]
    assert (np.asarray(truth) == 255 * sample()[2][..., None]).all()
    assert (np.asarray(prediction) == 255).all()


@pytest.mark.parametrize(
    ("rows", "models", "style", "message"),
    [
        ([], {"a": left(1)}, "outlines", "samples to hold at least one image"),
        ([sample()], {}, "outlines", "predictors to hold at least one model"),
        ([sample()], {"a": left(1)}, "lines", "style to be one of outlines, masks, got 'lines'"),
    ],
)
def test_wrong_arguments(rows, models, style, message):
    with pytest.raises(ValueError, match=message):
        model_figure(rows, models, style)


@pytest.mark.parametrize("style", ["outlines", "masks"])
def test_a_truth_of_another_size_is_refused(style):
    name, image, truth = sample()
    with pytest.raises(ValueError, match="expected mask to have the image's size"):
        model_figure([(name, image, truth[1:])], {"a": left(1)}, style)


@pytest.fixture
def data(tmp_path, monkeypatch):
    """Images with masks in folders of splits, and a tiny model, in the current folder."""
    monkeypatch.chdir(tmp_path)
    for split, ids in (("train", "ab"), ("val", "cde")):
        for id_ in ids:
            _, image, truth = sample()
            for kind, picture in (("images", image), ("masks", Image.fromarray(truth))):
                path = tmp_path / "data" / kind / split / f"{id_}.png"
                path.parent.mkdir(parents=True, exist_ok=True)
                picture.convert("RGB" if kind == "images" else "L").save(path)
    torch.manual_seed(0)
    network = {"network_arguments": {"width": 2}, "size": (32, 32)}
    Segmenter("segan", **network).save_pretrained("tiny")
    return tmp_path


def names(tiles):
    return [caption for _, caption in tiles[-1][0]]


def test_the_command_draws_models_on_a_split(data, tiles, capsys):
    command = ["figure", "tiny", "again=tiny", "--data", "data", "--split", "val"]
    assert cli.main([*command, "--images", "9", "--output", "rows.png"]) == 0
    assert "Figure: rows.png" in capsys.readouterr().out
    assert Image.open(data / "rows.png").info["Software"] == "written by lesionseg"
    assert tiles[0][1] == 4
    drawn = names(tiles)
    assert sorted(drawn[::4]) == ["c", "d", "e"]
    assert drawn[1] == "truth"
    assert drawn[2].startswith("tiny  J 0.")
    assert drawn[3] == drawn[2].replace("tiny", "again")
    assert cli.main([*command, "--ids", "e", "c", "--style", "masks", "--output", "rows.png"]) == 0
    assert names(tiles)[::4] == ["e", "c"]


def test_the_seed_chooses_the_images(data, tiles, monkeypatch):
    monkeypatch.setattr("lesionseg.inference.loading.load_predictor", lambda *_: left(1))
    chosen = []
    for seed in ("0", "0", "1", "2"):
        command = ["figure", "x", "--data", "data", "--images", "3", "--seed", seed]
        assert cli.main(command) == 0
        chosen.append(names(tiles)[::3])
    assert chosen[0] == chosen[1]
    assert len({tuple(ids) for ids in chosen}) > 1
    assert all(len(set(ids)) == 3 for ids in chosen)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["tiny", "tiny", "--data", "data"], "same label tiny; set one with LABEL=tiny"),
        (["tiny", "--data", "data", "--split", "test"], "no test images .* has train, val"),
        (["tiny", "--data", "data", "--ids", "a", "z"], "1 of 2 ids .* among the 5 images .*: z"),
        (["tiny", "--data", "data/images"], "no masks were found .*data/images; .*--masks"),
        (["tiny", "--data", "data", "--output", "figure.pdf"], r"ends in \.png or \.jpg"),
        (["tiny", "--data", "data", "--images", "0"], "--images to be at least 1, got 0"),
        (["absent", "--data", "data"], "absent"),
        (["tiny", "--data", "data", "--output", "data/masks/val/c.png"], "would overwrite"),
    ],
)
def test_a_mistake_is_answered_in_a_sentence(data, arguments, message, capsys):
    import re

    assert cli.main(["figure", *arguments]) == 1
    (line,) = capsys.readouterr().err.strip().splitlines()
    assert re.search(message, line)
    assert not (data / "figure.png").exists()


@pytest.mark.parametrize(
    ("model", "label"),
    [
        ("asnet-lite", "asnet-lite"),
        ("owner/name", "owner/name"),
        ("runs/asnet/version_3/checkpoints/best.ckpt", "asnet/version_3"),
        ("weights/small.onnx", "small"),
        ("my=model.ckpt", "my"),
    ],
)
def test_the_label_of_a_model(model, label):
    assert list(figure._labelled([model])) == [label]


def test_the_styles_of_the_command_are_those_of_the_function():
    assert drawing.FIGURE_STYLES == figure._STYLES
