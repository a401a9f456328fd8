"""Files as they come: one sentence for what is no image, and pixels where a viewer shows them."""

import re
import threading
import warnings

import numpy as np
import pytest
from conftest_corner import ORIENTATIONS, SUFFIXES, corner, oriented, place, write_corner
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image

from lesionseg.data import Pair, PairedDataset, read_image, read_mask, read_resized
from lesionseg.data.io import decoding
from lesionseg.data.io.resizing import resize_image
from lesionseg.errors import InvalidDataError


@pytest.mark.parametrize("suffix", SUFFIXES)
@pytest.mark.parametrize("orientation", ORIENTATIONS)
def test_images_are_turned_as_a_viewer_shows_them(tmp_path, suffix, orientation):
    path = tmp_path / f"corner{suffix}"
    expected = write_corner(path, (40, 66), orientation)
    assert expected.shape == ((66, 40) if orientation >= 5 else (40, 66))
    assert place(expected) == (orientation in (3, 4, 7, 8), orientation in (2, 3, 6, 7))
    image = read_image(path)
    np.testing.assert_array_equal(np.asarray(image.convert("L")) > 128, expected)
    pixels, size = read_resized(path, expected.shape)
    assert size == expected.shape
    np.testing.assert_array_equal(pixels.numpy(), np.asarray(image).transpose(2, 0, 1))


@pytest.mark.parametrize("orientation", [5, 6, 7, 8])
@pytest.mark.parametrize("mode", ["1", "L", "LA", "P", "RGB", "RGBA", "CMYK"])
def test_uncompressed_tiffs_are_turned_in_every_mode(tmp_path, mode, orientation):
    expected = write_corner(tmp_path / "corner.tif", (20, 75), orientation, mode)
    assert expected.shape == (75, 20)
    assert expected.sum() == corner((20, 75)).sum()
    image = np.asarray(read_image(tmp_path / "corner.tif").convert("L"))
    np.testing.assert_array_equal(image > 128, expected)


@pytest.mark.parametrize("orientation", ORIENTATIONS)
@pytest.mark.parametrize("size", [(401, 655), (655, 401)])
def test_scaled_decoding_turns_too(tmp_path, orientation, size):
    path = tmp_path / "corner.jpg"
    expected = write_corner(path, size, orientation)
    assert decoding.decode(path, "image", (60, 80)).box is not None
    small, found = read_resized(path, (30, 40))
    assert found == expected.shape
    full = resize_image(read_image(path), (30, 40))
    assert (small.float() - full.float()).abs().mean() < 1
    assert place((small[0] > 128).numpy()) == place(expected)


@settings(
    max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    st.tuples(st.integers(1, 80), st.integers(1, 80)),
    st.sampled_from(ORIENTATIONS),
    st.sampled_from([".jpg", ".png", ".tif"]),
    st.sampled_from(["1", "L", "P", "RGB", "RGBA", "LA", "CMYK", "I;16", "I", "F"]),
    st.tuples(st.integers(1, 40), st.integers(1, 40)),
)
def test_size_and_orientation_are_the_shown_ones(
    tmp_path, size, orientation, suffix, mode, network
):
    kinds = {".jpg": ("L", "RGB", "CMYK"), ".png": ("1", "L", "P", "RGB", "RGBA", "LA", "I;16")}
    if mode not in kinds.get(suffix, (mode,)):
        mode = "RGB"
    path = tmp_path / f"any{suffix}"
    expected = write_corner(path, size, orientation, mode)
    image = read_image(path)
    assert (image.height, image.width) == expected.shape
    pixels, found = read_resized(path, network)
    assert found == expected.shape
    assert pixels.shape == (3, *network)
    if mode not in ("I;16", "I", "F"):  # there Pillow, the oracle, takes 255 for white
        agreed = (np.asarray(image.convert("L")) > 128) == expected
        assert agreed.mean() == 1 if suffix != ".jpg" else agreed.mean() > 0.9


def as_pairs(tmp_path, orientation, drawn, size=(40, 66)):
    """A photograph and its mask, drawn on what is shown or on what is stored; no own EXIF."""
    shown = write_corner(tmp_path / "photo.jpg", size, orientation)
    lesion = shown if drawn == "shown" else corner(size)
    Image.fromarray(lesion).save(tmp_path / "mask.png")
    return Pair("photo", tmp_path / "photo.jpg", tmp_path / "mask.png"), shown


@pytest.mark.parametrize("orientation", ORIENTATIONS)
def test_a_mask_of_what_is_shown_stays(tmp_path, orientation):
    pair, shown = as_pairs(tmp_path, orientation, "shown")
    np.testing.assert_array_equal(read_mask(pair.mask, shown.shape, pair.image) > 0, shown)


@pytest.mark.parametrize("cached", [False, True])
@pytest.mark.parametrize("orientation", [5, 6, 7, 8])
def test_a_mask_on_stored_pixels_is_turned_along(tmp_path, orientation, cached):
    pair, shown = as_pairs(tmp_path, orientation, "stored")
    data = PairedDataset([pair], (20, 20), with_truth=True)
    if cached:
        data = data.cached(tmp_path / "cache")
    sample = data[0]
    assert sample["size"] == shown.shape
    np.testing.assert_array_equal(sample["truth"].numpy() > 0, shown)
    # image and mask show the lesion at the same place
    bright = sample["image"].mean(0) > 0.5
    assert (bright == sample["mask"][0].bool()).float().mean() > 0.9
    assert place(sample["mask"][0].numpy()) == place(shown)


def test_a_square_mask_is_taken_as_shown(tmp_path):
    pair, shown = as_pairs(tmp_path, 6, "shown", (40, 40))
    np.testing.assert_array_equal(read_mask(pair.mask, shown.shape, pair.image) > 0, shown)


def test_only_a_sideways_image_turns_its_mask(tmp_path):
    write_corner(tmp_path / "photo.jpg", (66, 40), 3)
    Image.fromarray(corner((40, 66))).save(tmp_path / "mask.png")
    for image in (tmp_path / "photo.jpg", None):
        with pytest.raises(InvalidDataError, match=r"mask\.png is 66 x 40 .* image is 40 x 66"):
            read_mask(tmp_path / "mask.png", (66, 40), image)


def test_a_masks_own_orientation_counts(tmp_path):
    expected = write_corner(tmp_path / "mask.png", (40, 66), 8, "L")
    np.testing.assert_array_equal(read_mask(tmp_path / "mask.png", (66, 40)) > 128, expected)


@pytest.mark.filterwarnings("ignore:Corrupt EXIF")
def test_damaged_exif_is_ignored(tmp_path):
    image = Image.new("RGB", (8, 6), "tan")
    for number, exif in enumerate((b"Exif\0\0MM\0*broken", oriented(99).tobytes())):
        image.save(tmp_path / f"{number}.jpg", exif=exif)
        assert read_image(tmp_path / f"{number}.jpg").size == (8, 6)


@settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(st.sampled_from([".jpg", ".png", ".tif", ".webp", ".bmp", ".gif"]), st.floats(0, 1))
@pytest.mark.filterwarnings("ignore")
def test_a_truncated_file_is_an_image_or_one_sentence(tmp_path, suffix, kept):
    path = tmp_path / f"cut{suffix}"
    pixels = np.random.default_rng(0).integers(0, 256, (24, 30, 3), dtype=np.uint8)
    Image.fromarray(pixels).save(path)
    whole = path.read_bytes()
    path.write_bytes(whole[: int(kept * len(whole))])
    for read in (read_image, lambda path: read_resized(path, (4, 4)), read_mask):
        said = ""
        try:
            read(path)
        except InvalidDataError as error:
            said = str(error)
        assert not said or re.fullmatch(rf"The (image|mask) .*{path.name} .*\.", said)


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "is empty"),
        (b"hello", "not an image"),
        (b"\0\0\0\x18ftypheic\0\0\0\0", "HEIC or AVIF .* as JPEG or PNG"),
        (None, "is a folder"),
    ],
)
def test_what_is_no_image_is_said(tmp_path, content, words):
    path = tmp_path / "IMG 1.jpg"
    path.mkdir() if content is None else path.write_bytes(content)
    for kind, read in (("image", read_image), ("mask", read_mask)):
        with pytest.raises(InvalidDataError, match=rf"The {kind} .*IMG 1\.jpg .*{words}"):
            read(path)


def test_the_content_tells_the_format(tmp_path):
    Image.new("RGB", (5, 4), "tan").save(tmp_path / "a.png")
    wrong = (tmp_path / "a.png").rename(tmp_path / "ä b.JPG")
    assert read_image(wrong).getpixel((0, 0)) == (210, 180, 140)


def test_the_first_of_several_pictures(tmp_path):
    frames = [Image.new("RGB", (6, 5), colour) for colour in ("red", "blue")]
    for suffix in (".gif", ".tif", ".png", ".webp"):
        path = tmp_path / f"frames{suffix}"
        frames[0].save(path, save_all=True, append_images=frames[1:])
        red, _, blue = read_image(path).getpixel((2, 2))
        assert red > 200
        assert blue < 60


def test_pillows_limit_is_raised_while_reading_and_put_back(tmp_path, monkeypatch):
    path = tmp_path / "large.png"
    Image.new("L", (30, 20), 255).save(path)
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 100)
    with pytest.raises(Image.DecompressionBombError):
        Image.open(path)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        threads = [threading.Thread(target=read_image, args=(path,)) for _ in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert read_mask(path).all()
    assert Image.MAX_IMAGE_PIXELS == 100


@pytest.mark.parametrize("ours", [500, 100])
@pytest.mark.filterwarnings("ignore")
def test_too_many_pixels_are_one_sentence(tmp_path, monkeypatch, ours):
    path = tmp_path / "large.tif"
    Image.new("L", (30, 20)).save(path)
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 10)
    monkeypatch.setattr(decoding, "MOST_PIXELS", ours)
    with pytest.raises(InvalidDataError) as caught:
        read_image(path)
    words = f"large.tif has more than {ours / 1e6:g} million pixels; make it smaller."
    assert str(caught.value).endswith(words)
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", None)  # whoever says so means it
    assert read_image(path).size == (30, 20)


@pytest.mark.parametrize("size", [(30, 20_000), (20_000, 30)])
@pytest.mark.parametrize("suffix", [".jpg", ".png"])
def test_panoramas(tmp_path, size, suffix):
    path = tmp_path / f"panorama{suffix}"
    expected = write_corner(path, size, 6)
    small, found = read_resized(path, (24, 32))
    assert found == expected.shape == size[::-1]
    assert place((small[0] > 128).numpy()) == (False, True)


def test_one_pixel(tmp_path):
    Image.new("RGB", (1, 1), (9, 8, 7)).save(tmp_path / "one.png")
    small, size = read_resized(tmp_path / "one.png", (3, 5))
    assert size == (1, 1)
    assert small.flatten(1).unique(dim=1).tolist() == [[9], [8], [7]]
