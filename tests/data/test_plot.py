"""Figures of samples."""

import matplotlib
import numpy as np
import pytest
import torch
from matplotlib import pyplot
from matplotlib.figure import Figure

from lesionseg.data import ISICDataset, SyntheticLesions

GREEN, RED = (0, 255, 0), (255, 0, 0)


@pytest.fixture(autouse=True)
def _no_window():
    backend = matplotlib.get_backend()
    pyplot.switch_backend("agg")
    yield
    pyplot.close("all")
    pyplot.switch_backend(backend)


def panels(figure):
    """The pixels of each panel."""
    assert isinstance(figure, Figure)
    return [axes.images[0].get_array() for axes in figure.axes]


def outlined(pixels, color):
    return (pixels == np.array(color)).all(-1)


def test_a_sample_is_its_image_and_the_outline_of_its_mask(tmp_path, isic):
    isic(2018, "train", 1)
    data = ISICDataset(tmp_path, 2018, "train", size=(40, 56))
    sample = data[0]
    image, mask = panels(figure := data.plot(sample))
    assert [axes.get_title() for axes in figure.axes] == ["Image", "Mask"]
    plain = (sample["image"] * 255).round().byte().permute(1, 2, 0).numpy()
    assert np.array_equal(image, plain)
    green = outlined(mask, GREEN)
    assert green.any()
    assert (sample["mask"][0].numpy()[green] == 1).all()
    assert np.array_equal(mask[~green], plain[~green])


@pytest.mark.parametrize("shape", [(48, 64), (1, 48, 64)])
def test_a_prediction_has_a_panel(shape):
    data = SyntheticLesions(1, (48, 64))
    prediction = torch.zeros(48, 64)
    prediction[10:30, 20:40] = 0.51
    prediction[30:40, 20:40] = 0.5
    figure = data.plot(data[0], prediction=prediction.view(shape), suptitle="the first")
    *_, last = panels(figure)
    assert [axes.get_title() for axes in figure.axes] == ["Image", "Mask", "Prediction"]
    assert figure.get_suptitle() == "the first"
    red = outlined(last, RED)
    rows, columns = red.nonzero()
    assert (rows.min(), rows.max(), columns.min(), columns.max()) == (10, 29, 20, 39)
    assert not red[15:25, 25:35].any()  # an outline, not the area
    array = data.plot(data[0], prediction.view(shape).numpy() > 0.5)
    assert np.array_equal(panels(array)[-1], last)


def test_titles_may_be_hidden_and_masks_absent():
    data = SyntheticLesions(1, (48, 64))
    sample = data[0]
    del sample["mask"]
    figure = data.plot(sample, show_titles=False)
    assert [axes.get_title() for axes in figure.axes] == [""]


def test_a_prediction_of_another_size_is_refused():
    data = SyntheticLesions(1, (48, 64))
    with pytest.raises(ValueError, match=r"48 x 64 .*, got 24 x 32"):
        data.plot(data[0], torch.zeros(24, 32))
