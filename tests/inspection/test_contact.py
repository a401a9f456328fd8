import numpy as np
import pytest
import torch
from conftest_inspect import save_pair, write_broken

from lesionseg.data import SyntheticLesions
from lesionseg.data.transforms.augmentation import AUGMENTATION_NAMES, Augmentation
from lesionseg.errors import InvalidDataError, LesionsegError
from lesionseg.inspection import augmentation_sheet, find_sets, load_samples

SIZE = (48, 64)


def tiles_of(sheet, rows, columns):
    """The pictures of a sheet of 200-pixel tiles, without borders and captions."""
    pixels = np.asarray(sheet)
    pitch = (pixels.shape[0] - 8) // rows
    return [
        [
            pixels[8 + row * pitch : (row + 1) * pitch - 22, 8 + column * 208 :][:, :200]
            for column in range(columns)
        ]
        for row in range(rows)
    ]


def samples(count=2):
    lesions = SyntheticLesions(count, SIZE)
    return [lesions[index] for index in range(count)]


def test_all_names_are_known_and_each_has_its_rows():
    Augmentation(AUGMENTATION_NAMES)
    with pytest.raises(LesionsegError, match=", ".join(AUGMENTATION_NAMES)):
        Augmentation(["no such"])
    one = augmentation_sheet(samples(1), ["gamma"], draws=1)
    every = augmentation_sheet(samples(1), draws=1)
    assert every.height - 8 == len(AUGMENTATION_NAMES) * (one.height - 8)


def test_every_draw_is_changed_and_the_outline_moves_along():
    lesions = samples(1)
    sheet = augmentation_sheet(lesions, ["horizontal_flip"], draws=3)
    original, *drawn = tiles_of(sheet, 1, 4)[0]
    green = [(tile == (0, 255, 0)).all(-1).mean(0) for tile in (original, *drawn)]
    centres = [np.average(np.arange(len(share)), weights=share + 1e-9) for share in green]
    middle = (len(green[0]) - 1) / 2
    assert abs(centres[0] - middle) > 1
    for centre in centres[1:]:
        assert centre - middle == pytest.approx(middle - centres[0], abs=2)


def test_several_names_are_shown_together_too():
    both = augmentation_sheet(samples(1), ["gamma", "vertical_flip"], draws=2)
    one = augmentation_sheet(samples(1), ["gamma"], draws=2)
    assert both.height - 8 == 3 * (one.height - 8)


def test_the_seed_decides_and_the_global_generator_is_left():
    lesions = samples(1)
    torch.manual_seed(5)
    expected = torch.rand(3)
    torch.manual_seed(5)
    first = augmentation_sheet(lesions, ["rotation"], seed=1)
    assert torch.equal(torch.rand(3), expected)
    assert first.tobytes() == augmentation_sheet(lesions, ["rotation"], seed=1).tobytes()
    assert first.tobytes() != augmentation_sheet(lesions, ["rotation"], seed=2).tobytes()


def test_samples_without_masks_have_no_outline(tmp_path):
    save_pair(tmp_path, None, "a", 0)
    (sample,) = load_samples(find_sets([tmp_path]), 3, SIZE)
    assert "mask" not in sample
    sheet = np.asarray(augmentation_sheet([sample], ["rotation"], draws=1))
    assert not (sheet == (0, 255, 0)).all(-1).any()


def test_broken_files_are_passed_over_and_none_is_an_error(tmp_path):
    write_broken(tmp_path / "broken")
    found = load_samples(find_sets([tmp_path / "broken"]), 20, SIZE)
    assert {sample["id"] for sample in found} == {"p7", "p8", "p9"}
    assert all(sample["image"].shape == (3, *SIZE) for sample in found)
    (tmp_path / "none").mkdir()
    (tmp_path / "none" / "a.jpg").write_bytes(b"")
    with pytest.raises(InvalidDataError, match="lesionseg inspect"):
        load_samples(find_sets([tmp_path / "none"]), 1, SIZE)


@pytest.mark.parametrize(("count", "names"), [(0, ["gamma"]), (1, [])])
def test_nothing_to_draw_is_an_error(count, names):
    with pytest.raises(ValueError, match="at least one"):
        augmentation_sheet(samples(1)[:count], names)
