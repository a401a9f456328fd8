"""Trained models as folders: what is read, what is refused, and what comes back."""

import json
import shutil

import numpy as np
import pytest
import torch
from PIL import Image

import lesionseg
from lesionseg import Segmenter, segment
from lesionseg.checkpoints import read_checkpoint
from lesionseg.cli import main as cli
from lesionseg.errors import CheckpointError, LesionsegError
from lesionseg.inference import load_predictor
from lesionseg.pretrained import CARD, TRAINED_ON, WEIGHTS, find_pretrained, packaged_card


@pytest.fixture
def model():
    torch.manual_seed(3)
    model = Segmenter(
        "segan", network_arguments={"width": 2}, size=(32, 32), threshold=0.4, learning_rate=0.02
    ).eval()
    model.trained_on = frozenset({"ISIC_0000002", "ISIC_0000001"})
    return model


@pytest.fixture
def folder(model, tmp_path):
    return model.save_pretrained(tmp_path / "mine")


def photo(seed=0, size=(41, 37)):
    pixels = np.random.default_rng(seed).integers(0, 256, (*size, 3), dtype=np.uint8)
    return Image.fromarray(pixels)


def test_a_saved_model_comes_back(model, folder):
    assert sorted(path.name for path in folder.iterdir()) == [CARD, WEIGHTS, TRAINED_ON]
    again = lesionseg.from_pretrained(folder)
    assert type(again) is Segmenter
    assert not again.training
    assert (again.size, again.threshold, again.trained_on) == ((32, 32), 0.4, model.trained_on)
    assert again.hparams["learning_rate"] == 0.02
    for name, value in again.network.state_dict().items():
        expected = model.network.state_dict()[name]
        assert torch.equal(value, expected.half().to(expected.dtype)), name
    direct = segment(photo(), folder)
    assert np.array_equal(direct.probability, segment(photo(), again).probability)
    assert np.array_equal(direct.probability, load_predictor(folder / WEIGHTS)(photo()).probability)


def test_full_precision_is_kept_where_it_is_asked_for(model, tmp_path):
    again = lesionseg.from_pretrained(model.save_pretrained(tmp_path / "x", torch.float32))
    for name, value in again.network.state_dict().items():
        assert torch.equal(value, model.network.state_dict()[name])


def test_weights_beyond_half_precision_are_refused(model, tmp_path):
    with torch.no_grad():
        next(model.network.parameters()).fill_(1e6)
    with pytest.raises(
        LesionsegError, match=r"not finite in torch\.float16 .*dtype=torch\.float32"
    ):
        model.save_pretrained(tmp_path / "x")
    model.save_pretrained(tmp_path / "x", torch.float32)


def test_a_model_of_another_package_is_not_saved(tmp_path):
    class Mine(Segmenter):
        pass

    with pytest.raises(LesionsegError, match="not Mine"):
        Mine("segan", network_arguments={"width": 2}).save_pretrained(tmp_path)


def test_an_adversary_is_neither_saved_nor_missed(tmp_path):
    gan = lesionseg.MobileGAN(encoder_widths=(8, 8, 8, 8), decoder_widths=(8, 8), size=(32, 32))
    folder = gan.save_pretrained(tmp_path / "gan")
    assert not [name for name in read_checkpoint(folder)["state_dict"] if "discriminator" in name]
    again = lesionseg.from_pretrained(folder)
    assert len(again.state_dict()) == len(gan.state_dict())


@pytest.mark.parametrize("change", ["cut", "flip"])
@pytest.mark.parametrize("name", [WEIGHTS, TRAINED_ON])
def test_a_changed_file_is_refused(folder, change, name):
    content = bytearray((folder / name).read_bytes())
    if change == "cut":
        content = content[:-1]
    else:
        content[-2] ^= 1
    (folder / name).write_bytes(bytes(content))
    for use in (lesionseg.from_pretrained, load_predictor, read_checkpoint):
        with pytest.raises(
            CheckpointError, match=f"{name} is not the file that its card describes"
        ):
            use(folder)


def test_a_file_that_is_missing_is_named(folder):
    (folder / WEIGHTS).unlink()
    with pytest.raises(CheckpointError, match=f"{WEIGHTS} cannot be read"):
        lesionseg.from_pretrained(folder)


def test_weights_without_a_card_are_refused(folder, tmp_path):
    (folder / CARD).unlink()
    for source in (folder, folder / WEIGHTS):
        with pytest.raises(CheckpointError, match=f"no {CARD}|no card"):
            lesionseg.from_pretrained(source)


@pytest.mark.parametrize(
    ("key", "value", "message"),
    [
        ("format", 99, "later version of lesionseg"),
        ("format", None, "not the card"),
        ("network", "unet", "does not describe its network"),
        ("model", {"class_path": "os.system", "init_args": {}}, "not of lesionseg"),
        ("model", {"class_path": "lesionseg.segment", "init_args": {}}, "not of lesionseg"),
        ("model", {"class_path": "lesionseg.Segmenter"}, "does not name its model's class"),
        ("size", "large", "Expected|size|arguments"),
    ],
)
def test_a_card_of_something_else_is_refused(folder, key, value, message):
    card = json.loads((folder / CARD).read_text()) | {key: value}
    (folder / CARD).write_text(json.dumps(card))
    with pytest.raises(CheckpointError, match=message):
        (load_predictor if key == "size" else lesionseg.from_pretrained)(folder)


def test_a_card_that_is_no_json_is_refused(folder):
    (folder / CARD).write_text("{")
    with pytest.raises(CheckpointError, match="cannot be read as a model's card"):
        lesionseg.from_pretrained(folder)


def test_no_weights_from_elsewhere_are_asked_for(folder):
    card = json.loads((folder / CARD).read_text())
    card["model"]["init_args"]["init_from"] = "/somewhere"
    (folder / CARD).write_text(json.dumps(card))
    assert read_checkpoint(folder)["hyper_parameters"]["init_from"] is None


def test_names(tmp_path, monkeypatch, folder):
    monkeypatch.chdir(tmp_path)
    assert lesionseg.list_pretrained() == ["asnet-lite", "mobilegan", "mobilegan-distilled"]
    packaged = find_pretrained("mobilegan")
    assert packaged.parent.name == "weights"
    (tmp_path / "mobilegan").mkdir()  # such as results of a model of this name
    assert find_pretrained("mobilegan") == packaged
    shutil.copytree(folder, tmp_path / "mobilegan", dirs_exist_ok=True)
    assert find_pretrained("mobilegan").resolve() == tmp_path / "mobilegan"
    assert find_pretrained("runs/best.ckpt") is None
    with pytest.raises(CheckpointError, match="did you mean asnet-lite"):
        lesionseg.from_pretrained("asnet-lit")
    with pytest.raises(CheckpointError, match="did you mean asnet-lite"):
        load_predictor("asnet-lit")
    with pytest.raises(CheckpointError, match="names are asnet-lite, mobilegan"):
        packaged_card("x")


def test_the_packaged_models_run_and_say_what_they_saw():
    tested = lesionseg.data.named_ids("isic2018-val") | lesionseg.data.named_ids("isic2017-test")
    for name in lesionseg.list_pretrained():
        model = lesionseg.from_pretrained(name)
        assert len(model.trained_on) == 1528
        assert not model.trained_on & tested
        assert not model.trained_on & lesionseg.data.named_ids("near-duplicates")
        assert (
            sum(one.numel() for one in model.network.parameters())
            == (packaged_card(name)["parameters"])
        )
        with torch.no_grad():
            logits = model.network(torch.rand(1, 3, 64, 64))
        assert logits.shape == (1, 1, 64, 64)
        assert logits.isfinite().all()


def test_models_lists_them(capsys):
    assert cli.main(["models", "--pretrained"]) == 0
    printed = capsys.readouterr().out
    assert max(map(len, printed.splitlines())) <= 80
    assert [name for name in lesionseg.list_pretrained() if name not in printed] == []
    row = packaged_card("asnet-lite")["scores"][0]
    assert f"{row['per_image']['jaccard']:.3f}" in printed
    assert cli.main(["models", "--pretrained", "mobilegan", "--output", "json"]) == 0
    (card,) = json.loads(capsys.readouterr().out)
    assert card == packaged_card("mobilegan")
    assert cli.main(["models", "--pretrained", "no"]) == 1
