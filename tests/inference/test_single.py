"""``lesionseg.segment`` and the predictor behind it."""

import numpy as np
import pytest
import torch
from PIL import Image

import lesionseg
from lesionseg.errors import CheckpointError, InvalidDataError
from lesionseg.inference import Predictor, load_predictor, segment
from lesionseg.models import Segmenter


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


def test_grey_and_transparent_images_work(model, picture):
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
