from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from lesionseg.data import read_image, read_mask, read_resized, resize_image, resize_mask
from lesionseg.errors import DatasetNotFoundError, InvalidDataError

GREY = np.array([[0, 127, 128], [129, 255, 3]], np.uint8)


@pytest.mark.parametrize("keep", [0, 2, 40, 0.5])
@pytest.mark.parametrize("suffix", [".jpg", ".png"])
def test_broken_image_is_named(tmp_path: Path, keep, suffix):
    path = tmp_path / f"broken{suffix}"
    noise = np.random.default_rng(0).integers(0, 256, (64, 64, 3), dtype=np.uint8)
    Image.fromarray(noise).save(path)
    whole = path.read_bytes()
    path.write_bytes(whole[: int(keep * len(whole)) if keep < 1 else keep])
    with pytest.raises(InvalidDataError, match=rf"{path.name}.*again"):
        read_image(path)
    with pytest.raises(InvalidDataError, match=rf"mask .*{path.name}.*again"):
        read_mask(path)


def test_missing_image_is_named(tmp_path: Path):
    with pytest.raises(DatasetNotFoundError, match=r"nothing\.jpg does not exist"):
        read_image(tmp_path / "nothing.jpg")


@pytest.mark.parametrize("mode", ["L", "P", "RGBA", "1", "CMYK"])
def test_any_image_becomes_rgb(tmp_path: Path, mode):
    path = tmp_path / "image.tif"
    Image.new("RGB", (5, 4), (255, 255, 255)).convert(mode).save(path)
    image = read_image(path)
    assert (image.mode, image.size) == ("RGB", (5, 4))
    assert np.array(image).min() == 255


@pytest.mark.parametrize("mode", ["L", "P", "RGB", "RGBA", "LA", "I;16"])
def test_mask_keeps_its_grey_values(tmp_path: Path, mode):
    path = tmp_path / "mask.png"
    if mode == "I;16":
        Image.fromarray(GREY.astype(np.uint16) * 257).save(path)
    else:
        Image.fromarray(GREY).convert(mode).save(path)
    mask = read_mask(path, (2, 3))
    assert mask.dtype == np.uint8
    np.testing.assert_array_equal(mask, GREY)


def test_one_bit_mask_becomes_0_and_255(tmp_path: Path):
    path = tmp_path / "mask.bmp"
    Image.fromarray(GREY > 128).save(path)
    np.testing.assert_array_equal(read_mask(path), (GREY > 128) * np.uint8(255))


def test_mask_of_zeros_and_ones_is_an_error(tmp_path: Path):
    path = tmp_path / "mask.png"
    Image.fromarray((GREY > 128).astype(np.uint8)).save(path)
    with pytest.raises(InvalidDataError, match=r"mask\.png holds 0 and 1, and.*lesion as 255"):
        read_mask(path)
    Image.fromarray(np.zeros((3, 3), np.uint8)).save(path)
    assert not read_mask(path).any()


def test_mask_of_another_size_is_an_error(tmp_path: Path):
    path = tmp_path / "mask.png"
    Image.fromarray(GREY).save(path)
    with pytest.raises(InvalidDataError, match=r"mask\.png is 3 x 2 .* 2 x 3"):
        read_mask(path, (3, 2))


def test_resize_keeps_a_picture_that_has_the_size():
    pixels = np.random.default_rng(0).integers(0, 256, (7, 9, 3), dtype=np.uint8)
    same = resize_image(pixels, (7, 9))
    np.testing.assert_array_equal(same.permute(1, 2, 0).numpy(), pixels)
    mask = resize_mask(torch.from_numpy(GREY), (2, 3))
    assert mask.tolist() == [[[0, 0, 0], [1, 1, 0]]]


def test_image_resize_agrees_with_pillow():
    pixels = np.random.default_rng(0).integers(0, 256, (70, 90, 3), dtype=np.uint8)
    ours = resize_image(pixels, (16, 24)).permute(1, 2, 0).numpy().astype(int)
    pillow = Image.fromarray(pixels).resize((24, 16), Image.Resampling.BILINEAR)
    assert np.abs(ours - np.array(pillow)).max() <= 1


@settings(max_examples=20, deadline=None)
@given(
    st.integers(0, 10**6),
    st.tuples(st.integers(2, 40), st.integers(2, 40)),
    st.tuples(st.integers(1, 50), st.integers(1, 50)),
)
def test_resized_mask_is_binary_and_ignores_grey_shades(seed, size, new_size):
    grey = np.random.default_rng(seed).integers(0, 256, size, dtype=np.uint8)
    mask = resize_mask(grey, new_size)
    assert mask.shape == (1, *new_size)
    assert mask.dtype == torch.float32
    assert set(mask.unique().tolist()) <= {0.0, 1.0}
    assert torch.equal(mask, resize_mask((grey > 128).astype(np.uint8) * 255, new_size))


def test_resized_mask_keeps_its_area():
    rows, columns = np.mgrid[:200, :300]
    disc = (((rows - 90) ** 2 + (columns - 160) ** 2) < 60**2).astype(np.uint8) * 255
    small = resize_mask(disc, (64, 96))
    assert small.mean().item() == pytest.approx((disc > 0).mean(), rel=0.01)


def noisy_jpeg(path: Path, size, seed=0, **options):
    """A smooth picture with some noise: what a camera gives."""
    generator = np.random.default_rng(seed)
    coarse = Image.fromarray(generator.integers(80, 200, (9, 12, 3), dtype=np.uint8))
    pixels = np.array(coarse.resize(size[::-1], Image.Resampling.BICUBIC)).astype(int)
    pixels += generator.integers(-12, 13, pixels.shape)
    Image.fromarray(pixels.clip(0, 255).astype(np.uint8)).save(path, **options)


@settings(max_examples=25, deadline=None)
@given(
    st.tuples(st.integers(90, 700), st.integers(90, 700)),
    st.tuples(st.integers(16, 90), st.integers(16, 90)),
    st.integers(0, 3),
)
def test_scaled_decoding_stays_close_to_the_full_one(tmp_path_factory, original, size, seed):
    path = tmp_path_factory.mktemp("jpeg") / "image.jpg"
    noisy_jpeg(path, original, seed, quality=90)
    ours, found = read_resized(path, size)
    assert found == original
    assert (ours.shape, ours.dtype) == ((3, *size), torch.uint8)
    full = resize_image(read_image(path), size)
    assert (ours.float() - full.float()).abs().mean() < 1
    if min(original[0] / size[0], original[1] / size[1]) < 4:
        assert torch.equal(ours, full)


@pytest.mark.parametrize("mode", ["L", "CMYK"])
def test_scaled_decoding_of_other_jpegs(tmp_path: Path, mode):
    path = tmp_path / "image.jpg"
    noisy_jpeg(path, (400, 601))
    Image.open(path).convert(mode).save(path)
    ours, found = read_resized(path, (40, 60))
    assert found == (400, 601)
    full = resize_image(read_image(path), (40, 60))
    assert (ours.float() - full.float()).abs().mean() < 1


@pytest.mark.parametrize("suffix", [".png", ".bmp", ".webp"])
def test_other_formats_are_decoded_whole(tmp_path: Path, suffix):
    path = tmp_path / f"image{suffix}"
    noisy_jpeg(path, (200, 150))
    ours, found = read_resized(path, (20, 15))
    assert found == (200, 150)
    assert torch.equal(ours, resize_image(read_image(path), (20, 15)))


@pytest.mark.parametrize("keep", [0, 30, 0.5, 0.95])
def test_broken_jpeg_is_named_when_scaled(tmp_path: Path, keep):
    path = tmp_path / "broken.jpg"
    noisy_jpeg(path, (640, 480))
    whole = path.read_bytes()
    path.write_bytes(whole[: int(keep * len(whole)) if keep < 1 else keep])
    with pytest.raises(InvalidDataError, match=r"broken\.jpg.*again"):
        read_resized(path, (64, 48))
    with pytest.raises(DatasetNotFoundError, match=r"nothing\.jpg does not exist"):
        read_resized(tmp_path / "nothing.jpg", (64, 48))


def test_real_images_within_one_grey_level(shared_data: Path):
    paths = sorted(shared_data.glob("isic2016-originals/*Data/*.jpg"))
    assert len(paths) == 20
    for path in paths[::4]:
        for size in ((128, 128), (192, 256)):
            ours, _ = read_resized(path, size)
            full = resize_image(read_image(path), size)
            assert (ours.float() - full.float()).abs().mean() < 1
