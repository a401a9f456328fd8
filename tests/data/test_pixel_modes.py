"""Every kind of pixel, as 8-bit RGB and as grey."""

import struct
import zlib
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from lesionseg.data import read_image, read_mask
from lesionseg.data.io.pixel_modes import decode_gray, to_rgb
from lesionseg.data.io.reading import read_gray
from lesionseg.errors import InvalidDataError

RAMP = np.arange(0, 256, 5, dtype=np.uint8).reshape(4, 13)


def write_png(path: Path, pixels: np.ndarray) -> None:
    """A PNG of 16 bits per channel, which Pillow does not write: (h, w, 2 to 4)."""
    height, width, channels = pixels.shape
    rows = b"".join(b"\0" + row.astype(">u2").tobytes() for row in pixels)
    kind = {2: 4, 3: 2, 4: 6}[channels]
    with path.open("wb") as file:
        file.write(b"\x89PNG\r\n\x1a\n")
        for name, content in (
            (b"IHDR", struct.pack(">IIBBBBB", width, height, 16, kind, 0, 0, 0)),
            (b"IDAT", zlib.compress(rows)),
            (b"IEND", b""),
        ):
            check = struct.pack(">I", zlib.crc32(name + content))
            file.write(struct.pack(">I", len(content)) + name + content + check)


def write_tiff(path: Path, pixels: np.ndarray) -> None:
    """A little-endian TIFF of 16-bit RGB, one uncompressed strip."""
    height, width, _ = pixels.shape
    content = pixels.astype("<u2").tobytes()
    bits = 8 + len(content)
    tags = [
        (256, 3, 1, width),
        (257, 3, 1, height),
        (258, 3, 3, bits),
        (259, 3, 1, 1),
        (262, 3, 1, 2),
        (273, 4, 1, 8),
        (277, 3, 1, 3),
        (278, 3, 1, height),
        (279, 4, 1, len(content)),
    ]
    with path.open("wb") as file:
        file.write(b"II*\0" + struct.pack("<I", bits + 6) + content)
        file.write(struct.pack("<HHH", 16, 16, 16) + struct.pack("<H", len(tags)))
        for tag in tags:
            file.write(struct.pack("<HHII", *tag))
        file.write(struct.pack("<I", 0))


@pytest.mark.parametrize("suffix", [".png", ".tif"])
def test_16_bit_rgb(tmp_path, suffix):
    pixels = np.stack([RAMP, RAMP[::-1], RAMP[:, ::-1]], -1)
    path = tmp_path / f"deep{suffix}"
    {".png": write_png, ".tif": write_tiff}[suffix](path, pixels.astype(np.uint16) * 257)
    np.testing.assert_array_equal(np.asarray(read_image(path)), pixels)


def test_16_bit_grey_and_rgb_with_alpha(tmp_path):
    for channels in (2, 4):
        pixels = np.repeat(RAMP[..., None], channels, -1).astype(np.uint16) * 257
        pixels[..., -1] = 65535
        pixels[0, :, -1] = 0
        write_png(tmp_path / "deep.png", pixels)
        image = np.asarray(read_image(tmp_path / "deep.png"))
        np.testing.assert_array_equal(image[1:, :, 0], RAMP[1:])
        assert (image[0] == 255).all()
        mask = read_mask(tmp_path / "deep.png")
        np.testing.assert_array_equal(mask[1:], RAMP[1:])
        assert not mask[0].any()


@pytest.mark.parametrize("suffix", [".png", ".tif", ".pgm"])
def test_16_bit_grey_is_scaled_and_not_clipped(tmp_path, suffix):
    path = tmp_path / f"deep{suffix}"
    Image.fromarray(RAMP.astype(np.uint16) * 257).save(path)
    np.testing.assert_array_equal(np.asarray(read_image(path))[..., 1], RAMP)
    np.testing.assert_array_equal(read_mask(path), RAMP)


def test_big_endian_and_a_transparent_grey():
    deep = Image.fromarray(RAMP.astype(np.uint16) * 257)
    big = Image.frombytes("I;16B", deep.size, (RAMP.astype(">u2") * 257).astype(">u2").tobytes())
    np.testing.assert_array_equal(decode_gray(big), RAMP)
    deep.info["transparency"] = int(RAMP[2, 3]) * 257
    assert to_rgb(deep).getpixel((3, 2)) == (255, 255, 255)
    assert decode_gray(deep)[2, 3] == 0
    assert (decode_gray(deep) == RAMP).sum() == RAMP.size - 1


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        (RAMP.astype(np.int32), RAMP),
        (RAMP.astype(np.int32) * 257, RAMP),
        (RAMP.astype(np.float32) / 255, RAMP),
        (RAMP.astype(np.float32), RAMP),
        (RAMP.astype(np.float32) * 257, RAMP),
        (np.zeros((4, 13), np.float32), np.zeros((4, 13))),
    ],
)
def test_32_bit_pixels(tmp_path, values, expected):
    path = tmp_path / "deep.tif"
    Image.fromarray(values).save(path)
    np.testing.assert_array_equal(read_mask(path), expected)
    np.testing.assert_array_equal(np.asarray(read_image(path))[..., 2], expected)


@pytest.mark.parametrize("value", [-1.0, 1e6, float("nan"), float("inf")])
def test_32_bit_pixels_without_a_white(tmp_path, value):
    path = tmp_path / "deep.tif"
    values = RAMP.astype(np.float32)
    values[0, 0] = value
    Image.fromarray(values).save(path)
    with pytest.raises(InvalidDataError, match=r"deep\.tif cannot be used: its values go from"):
        read_image(path)
    with pytest.raises(InvalidDataError, match=r"mask .*deep\.tif .* 8 or 16 bits"):
        read_mask(path)


def write_transparent(path: Path, mode: str) -> None:
    """White pixels, of which the left half is transparent; black is under them where it can be."""
    image = Image.new("RGBA", (8, 4), "white")
    image.paste((0, 0, 0, 0), (0, 0, 4, 4))
    if mode == "P":
        image = Image.new("P", (8, 4), 1)
        image.putpalette([0, 0, 0, 255, 255, 255])
        image.paste(0, (0, 0, 4, 4))
        image.save(path, transparency=0)
    elif mode in ("colour", "grey", "bit"):
        image.convert({"colour": "RGB", "grey": "L", "bit": "1"}[mode]).save(
            path, transparency=(0, 0, 0) if mode == "colour" else 0
        )
    else:
        image.convert(mode).save(path)


@pytest.mark.parametrize("mode", ["RGBA", "LA", "P", "colour", "grey", "bit"])
def test_transparency_is_white_in_images_and_no_lesion_in_masks(tmp_path, mode):
    path = tmp_path / "clear.png"
    write_transparent(path, mode)
    assert np.asarray(read_image(path)).min() == 255
    mask = read_mask(path)
    assert not mask[:, :4].any()
    assert (mask[:, 4:] == 255).all()


def test_half_transparent_and_wholly_opaque():
    image = Image.new("RGBA", (2, 1), (100, 0, 200, 128))
    assert to_rgb(image).getpixel((0, 0)) == pytest.approx((177, 127, 227), abs=1)
    image.putalpha(255)
    assert to_rgb(image).getpixel((1, 0)) == (100, 0, 200)
    assert to_rgb(image.convert("PA")).getpixel((1, 0)) == pytest.approx((100, 0, 200), abs=30)


def test_cmyk_jpegs_are_not_inverted(tmp_path):
    """Pillow writes them as Adobe does, inverted and marked."""
    Image.new("RGB", (16, 16), (250, 40, 30)).convert("CMYK").save(tmp_path / "a.jpg")
    assert b"Adobe" in (tmp_path / "a.jpg").read_bytes()
    red, green, blue = read_image(tmp_path / "a.jpg").getpixel((5, 5))
    assert red > 200
    assert max(green, blue) < 90


@pytest.mark.parametrize("mode", ["RGB", "RGBA"])
def test_a_colored_mask_is_refused(tmp_path, mode):
    image = Image.new("RGB", (8, 8))
    image.paste((255, 0, 0), (2, 2, 6, 6))
    image.convert(mode).save(tmp_path / "mask.png")
    with pytest.raises(InvalidDataError, match=r"mask\.png cannot be used: it is colored; draw"):
        read_mask(tmp_path / "mask.png")


def test_a_palette_of_colors_numbers_what_is_drawn(tmp_path):
    image = Image.new("P", (8, 8))
    image.putpalette([0, 0, 0, 128, 0, 0, 0, 128, 0])
    image.paste(1, (2, 2, 6, 6))
    image.paste(2, (2, 2, 3, 3))
    assert (decode_gray(image) == np.asarray(image)).all()
    image.save(tmp_path / "mask.png")
    assert set(read_gray(tmp_path / "mask.png").flat) == {0, 1, 2}


def test_a_masks_jpeg_noise_is_no_colour(tmp_path):
    grey = np.zeros((32, 32), np.uint8)
    grey[8:20, 9:25] = 255
    Image.fromarray(grey).convert("RGB").save(tmp_path / "mask.jpg", quality=30)
    mask = read_mask(tmp_path / "mask.jpg")
    assert ((mask > 128) == (grey > 128)).mean() > 0.97


def test_an_rgb_image_is_not_copied():
    image = Image.new("RGB", (4, 4))
    assert to_rgb(image) is image


def test_a_mode_that_pillow_cannot_convert(tmp_path, monkeypatch):
    def refuse(*arguments):
        raise ValueError("conversion not supported")

    Image.new("YCbCr", (4, 4)).save(tmp_path / "a.tif")
    monkeypatch.setattr(Image.Image, "convert", refuse)
    with pytest.raises(InvalidDataError, match=r"a\.tif cannot be used: conversion not"):
        read_image(tmp_path / "a.tif")


@pytest.mark.parametrize("suffix", [".png", ".tif"])
def test_a_mask_of_8_bits_in_16(tmp_path, suffix):
    """Its high bytes are all 0, which would make it empty."""
    path = tmp_path / f"mask{suffix}"
    Image.fromarray(np.where(RAMP > 100, 255, 0).astype(np.uint16)).save(path)
    assert ((read_mask(path) > 128) == (RAMP > 100)).all()
    assert not np.asarray(read_image(path)).any()
    Image.fromarray((RAMP > 100).astype(np.uint16)).save(path)
    with pytest.raises(InvalidDataError, match="holds 0 and 1"):
        read_mask(path)
