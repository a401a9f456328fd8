"""Contrast-limited adaptive histogram equalization of batches, on their device."""

from collections.abc import Sequence
from functools import lru_cache
from typing import NamedTuple

import torch
from torch import Tensor

_LEVELS = 256
# Pixels that a CPU processes at a time, so that intermediate results stay in its cache.
_PIXELS_AT_ONCE = 2**18


@torch.no_grad()
def clahe(
    image: Tensor, clip_limit: float | Sequence[float] = 2.0, tiles: tuple[int, int] = (8, 8)
) -> Tensor:
    """Equalize the histogram of each tile of each channel, with limited contrast.

    The algorithm is that of Zuiderveld ("Contrast Limited Adaptive Histogram Equalization",
    Graphics Gems IV, 1994) as OpenCV implements it: pixels are rounded to 256 levels; a tile's
    histogram is clipped at the limit, the excess is spread evenly over all levels, and its running
    sum becomes the tile's lookup table; a pixel is interpolated between the tables of the four
    nearest tiles by its distance to their centers. If the tiles do not divide the image, it is
    reflected at the bottom and on the right, on both axes, as in OpenCV. Sums, products and
    roundings have OpenCV's order, so that the result equals ``cv2.createCLAHE`` on the rounded
    image. (A build of OpenCV that fuses products and sums may round half-way cases to the next
    level; those for x86 do not.)

    Does not synchronize with the device; deterministic.

    Args:
        image: Images (N, C, H, W) in [0, 1], of any floating-point dtype; values outside are
            clamped.
        clip_limit: Contrast limit, for all images or for each of the N, on OpenCV's scale: 1 clips
            a tile's histogram at its mean; 0 or less does not clip.
        tiles: Rows and columns of the grid.

    Returns:
        Images (N, C, H, W), float32, multiples of 1/255 in [0, 1].

    Raises:
        ValueError: If the shapes or the number of tiles are invalid.

    Example:
        >>> import torch
        >>> faint = torch.linspace(0.4, 0.6, 64).view(1, 1, 8, 8)
        >>> result = clahe(faint, clip_limit=40.0, tiles=(1, 1))
        >>> result.shape, round(float(result.max() - result.min()), 2)
        (torch.Size([1, 1, 8, 8]), 0.98)
    """
    if image.ndim != 4 or image.numel() == 0:
        raise ValueError(f"expected image to be of shape (N, C, H, W), got {tuple(image.shape)}")
    if len(tiles) != 2 or min(tiles) < 1:
        raise ValueError(f"expected tiles to be two numbers of at least 1, got {tiles}")
    count, channels, height, width = image.shape
    limits = [clip_limit] * count if isinstance(clip_limit, int | float) else list(clip_limit)
    if len(limits) != count:
        raise ValueError(
            f"expected clip_limit to be {count} numbers, one per image, got {len(limits)}"
        )
    grid = _grid(height, width, (tiles[0], tiles[1]), image.device)
    most = [
        max(int(limit * grid.area / _LEVELS), 1) if limit > 0 else grid.area for limit in limits
    ]
    cut_at = torch.tensor(most, dtype=torch.int32, device="cpu").repeat_interleave(channels)
    cut_at = cut_at.to(image.device, non_blocking=True).view(-1, 1, 1)

    planes = image.contiguous().view(count * channels, height, width)
    at_once = len(planes)
    if image.device.type == "cpu":
        at_once = max(_PIXELS_AT_ONCE // (height * width), 1)
    done = torch.empty(planes.shape, device=image.device)
    for start in range(0, len(planes), at_once):
        part = slice(start, start + at_once)
        level = planes[part].float().mul(_LEVELS - 1).round_().clamp_(0, _LEVELS - 1)
        level = level.to(torch.int32)
        # each plane has its own tables
        size = grid.tiles * _LEVELS
        level += torch.arange(
            0, len(level) * size, size, dtype=torch.int32, device=image.device
        ).view(-1, 1, 1)
        _interpolate(level, _tables(level, cut_at[part], grid), grid, done[part])
    return done.view(image.shape)


class _Axis(NamedTuple):
    """The tiles along an axis, in vectors of its length; a tile is given by its table's index."""

    tile: int  # pixels
    reflected: Tensor | None  # pixels of the image, by those of the padded image
    own: Tensor  # of the padded length: the tile of a pixel
    first: Tensor  # the tile whose center is before a pixel
    second: Tensor  # and the one after it
    first_weight: Tensor
    second_weight: Tensor


class _Grid(NamedTuple):
    """The tiles of an image and constants that depend on them."""

    tiles: int
    area: int  # pixels of a tile
    rows: _Axis  # vectors are (H, 1)
    columns: _Axis
    shares: Tensor  # (256,), 1 to 256
    spread: Tensor  # (256, 256), row n: running sums of n pixels in equal steps from level 0


@lru_cache(maxsize=16)
def _grid(height: int, width: int, tiles: tuple[int, int], device: torch.device) -> _Grid:
    # OpenCV pads both axes, even if only one is not divisible.
    padded = height % tiles[0] > 0 or width % tiles[1] > 0
    rows = _axis(height, tiles[0], padded, tiles[1] * _LEVELS, device)
    columns = _axis(width, tiles[1], padded, _LEVELS, device)
    level = torch.arange(_LEVELS, dtype=torch.int32, device=device)
    pixels = level[:, None]
    step = _LEVELS // pixels.clamp(min=1)
    return _Grid(
        tiles=tiles[0] * tiles[1],
        area=rows.tile * columns.tile,
        rows=rows._replace(
            own=rows.own[:, None],
            first=rows.first[:, None],
            second=rows.second[:, None],
            first_weight=rows.first_weight[:, None],
            second_weight=rows.second_weight[:, None],
        ),
        columns=columns,
        shares=level + 1,
        spread=torch.minimum(level // step + 1, pixels),
    )


def _axis(length: int, tiles: int, padded: bool, apart: int, device: torch.device) -> _Axis:
    """Return an axis whose tiles' tables are ``apart`` entries apart."""
    padding = tiles - length % tiles if padded else 0
    place = torch.arange(length + padding, dtype=torch.int32, device=device)
    tile = (length + padding) // tiles
    position = place[:length].float() * (1 / tile) - 0.5
    before = position.floor()
    first = before.to(torch.int32)
    period = max(2 * (length - 1), 1)
    return _Axis(
        tile=tile,
        reflected=torch.minimum(place % period, period - place % period) if padded else None,
        own=place // tile * apart,
        first=first.clamp(min=0) * apart,
        second=(first + 1).clamp(max=tiles - 1) * apart,
        first_weight=1 - (position - before),
        second_weight=position - before,
    )


def _tables(level: Tensor, cut_at: Tensor, grid: _Grid) -> Tensor:
    """Return the tables of all tiles of all planes, 256 values of 0 to 255 each, flat.

    ``level`` is (planes, H, W), int32, and points into the first tile's table of each plane;
    ``cut_at`` is (planes, 1, 1), the largest number of a tile's pixels per level.
    """
    rows, columns = grid.rows, grid.columns
    if rows.reflected is not None and columns.reflected is not None:
        level = level.index_select(1, rows.reflected).index_select(2, columns.reflected)
    index = (level + (rows.own + columns.own)).flatten()
    counts = _count(index, len(level) * grid.tiles * _LEVELS).to(torch.int32)
    counts = counts.view(-1, grid.tiles, _LEVELS)
    sums = torch.minimum(counts, cut_at, out=counts).cumsum(-1, dtype=torch.int32)
    # The excess is spread over all levels, the rest of the division in equal steps.
    cut = grid.area - sums[..., -1:]
    sums.addcmul_(cut // _LEVELS, grid.shares)
    sums += grid.spread.index_select(0, (cut % _LEVELS).flatten()).view(sums.shape)
    return sums.float().mul_((_LEVELS - 1) / grid.area).round_().flatten()


def _count(index: Tensor, length: int) -> Tensor:
    """Return how often each index occurs."""
    if index.device.type == "cpu":
        return torch.bincount(index, minlength=length)
    # bincount would wait for the device to know the largest index.
    counts = torch.zeros(length, dtype=torch.int32, device=index.device)
    return counts.scatter_add_(0, index.long(), torch.ones_like(index))


def _interpolate(level: Tensor, tables: Tensor, grid: _Grid, out: Tensor) -> None:
    """Write the interpolation of each pixel's four nearest tables, divided by 255, to ``out``."""
    rows, columns = grid.rows, grid.columns
    # Memory is reused: on a CPU new pages cost as much as the arithmetic.
    index = torch.empty_like(level)
    lower, value = torch.empty_like(out), torch.empty_like(out)

    def look_up(row: Tensor, column: Tensor, found: Tensor) -> Tensor:
        torch.add(level, row + column, out=index)
        torch.index_select(tables, 0, index.view(-1), out=found.view(-1))
        return found

    before, after = columns.first_weight, columns.second_weight
    upper = look_up(rows.first, columns.first, out).mul_(before)
    upper.add_(look_up(rows.first, columns.second, value).mul_(after)).mul_(rows.first_weight)
    look_up(rows.second, columns.first, lower).mul_(before)
    lower.add_(look_up(rows.second, columns.second, value).mul_(after)).mul_(rows.second_weight)
    upper.add_(lower).round_().mul_(1 / (_LEVELS - 1))
