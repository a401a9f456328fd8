"""``lesionseg.segment`` and the predictor behind it."""

import numpy as np
import pytest
import torch
from PIL import Image

import lesionseg
from lesionseg.errors import CheckpointError, InvalidDataError
from lesionseg.inference import Predictor, load_predictor, segment
from lesionseg.inference.predictor import usable_device
from lesionseg.models import Segmenter
from lesionseg.networks import create_network


@pytest.fixture(scope="module")
def model():
    torch.manual_seed(0)
    return Segmenter("smp:unet/resnet18", size=(32, 64), threshold=0.45)


@pytest.fixture(scope="module")
def picture():
    rng = np.random.default_rng(0)
    return Image.fromarray(rng.integers(0, 255, (50, 77, 3), dtype=np.uint8))


def test_every_kind_of_image_gives_the_same_result(model, picture, tmp_path):
    path = tmp_path / "näme with space.png"
    picture.save(path)
    array = np.asarray(picture)
    tensor = torch.from_numpy(array.copy()).permute(2, 0, 1)
    expected = lesionseg.segment(picture, model)
    assert expected.mask.shape == expected.probability.shape == (50, 77)
    assert expected.mask.dtype == np.bool_
    assert np.array_equal(expected.mask, expected.probability > 0.45)
    for image in (path, str(path), array, array / 255, tensor, tensor.float() / 255):
        assert np.array_equal(segment(image, model).probability, expected.probability)


def test_gray_and_transparent_images_work(model, picture):
    for mode in ("L", "RGBA", "P", "1"):
        assert segment(picture.convert(mode), model).mask.shape == (50, 77)


def test_a_model_keeps_its_mode(model, picture):
    for training in (True, False):
        model.network.train(training)
        segment(picture, model)
        assert model.network.training is training
    assert all(parameter.requires_grad for parameter in model.parameters())


def test_a_predictor_says_what_its_model_says(model, picture):
    predictor = Predictor(model.network.eval(), model.size, model.threshold)
    assert np.array_equal(segment(picture, predictor).mask, segment(picture, model).mask)


@pytest.mark.parametrize(
    "image",
    [np.zeros((5, 5)), torch.zeros(1, 5, 5), np.full((5, 5, 3), 7.0), np.zeros((5, 5, 3), int)],
)
def test_what_is_no_image_is_refused(model, image):
    with pytest.raises(ValueError, match="image"):
        segment(image, model)


def test_a_broken_file_is_named(model, tmp_path):
    path = tmp_path / "broken.jpg"
    path.write_bytes(b"\xff\xd8\xff")
    with pytest.raises(InvalidDataError, match=r"broken\.jpg"):
        segment(path, model)


def test_checkpoints_that_cannot_be_used_are_named(tmp_path):
    with pytest.raises(CheckpointError, match=r"absent\.ckpt"):
        load_predictor(tmp_path / "absent.ckpt")
    (tmp_path / "cut.ckpt").write_bytes(b"PK\x03\x04 cut off")
    with pytest.raises(CheckpointError, match=r"cut\.ckpt"):
        load_predictor(tmp_path / "cut.ckpt")
    torch.save({"state_dict": {}}, tmp_path / "foreign.ckpt")
    with pytest.raises(CheckpointError, match=r"foreign\.ckpt .* not of a lesionseg model"):
        load_predictor(tmp_path / "foreign.ckpt")
    about = {"network": {"name": "mobilegan", "arguments": {}}, "size": [32, 32], "threshold": 0.5}
    torch.save(
        {"state_dict": {"network.x": torch.ones(1)}, "lesionseg": about}, tmp_path / "x.ckpt"
    )
    with pytest.raises(CheckpointError, match=r"x\.ckpt do not fit"):
        load_predictor(tmp_path / "x.ckpt")


def test_a_list_gives_a_list(model, picture, tmp_path):
    picture.save(tmp_path / "a.png")
    expected = segment(picture, model).probability
    for several in ([tmp_path / "a.png", picture], (np.asarray(picture), str(tmp_path / "a.png"))):
        results = segment(several, model)
        assert isinstance(results, list)
        assert len(results) == 2
        assert all(np.array_equal(one.probability, expected) for one in results)
    assert segment([], model) == []


def test_a_list_reads_a_checkpoint_once(model, picture, monkeypatch):
    read = []
    predictor = Predictor(model.network.eval(), model.size, model.threshold)
    monkeypatch.setattr(
        "lesionseg.inference.single.load_predictor", lambda path: read.append(path) or predictor
    )
    assert len(segment([picture, picture], "a.ckpt")) == 2
    assert read == ["a.ckpt"]


class Bright(torch.nn.Module):
    """Finds what is brighter than gray, at the size that it is fed at."""

    def __init__(self):
        super().__init__()
        self.level = torch.nn.Parameter(torch.tensor(0.5))
        self.dropout = torch.nn.Dropout()
        self.fed = []

    def forward(self, image):
        self.fed.append((tuple(image.shape), self.training))
        return 40 * (image.mean(1, keepdim=True) - self.level)


def test_a_plain_network_is_a_model():
    gray = np.zeros((60, 80, 3), np.uint8)
    gray[20:40, 30:50] = 255
    network = Bright()
    network.dropout.eval()
    result = segment(gray, network)
    assert network.fed == [((1, 3, 192, 256), False)]
    assert network.training
    assert not network.dropout.training  # each part keeps its mode
    assert (result.mask == (gray[..., 0] > 0)).mean() > 0.97
    network.default_size = (64, 96)
    segment(gray, network)
    assert network.fed[-1][0] == (1, 3, 64, 96)


def test_a_network_of_the_registry_is_a_model(picture):
    network = create_network("unet", width=4)
    result = segment(picture, network)
    expected = Predictor(network.eval(), network.default_size, 0.5)(picture)
    assert np.array_equal(result.probability, expected.probability)


@pytest.mark.parametrize("image", [b"\xff\xd8", None, 3, {"image": 1}])
def test_anything_but_an_image_is_refused(model, image):
    with pytest.raises(TypeError, match=r"expected image to be a path, .*, got ") as caught:
        segment(image, model)
    assert ("BytesIO" in str(caught.value)) == isinstance(image, bytes)
    with pytest.raises(TypeError, match="expected image"):
        segment([image], model)


@pytest.mark.parametrize("model", [None, 3, {"state_dict": {}}])
def test_anything_but_a_model_is_refused(picture, model):
    with pytest.raises(
        TypeError, match="expected model to be a model, a network, a predictor, the name"
    ):
        segment(picture, model)


def test_auto_takes_a_gpu_where_there_is_one(monkeypatch):
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: False)
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    assert usable_device("auto") == torch.device("cpu")
    asked = []
    monkeypatch.setattr(torch, "zeros", lambda *size, device: asked.append(device) or torch.ones(1))
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    assert usable_device("auto") == torch.device("cuda")
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: True)
    assert usable_device("auto") == torch.device("mps")
    assert [one.type for one in asked] == ["cuda", "mps"]
