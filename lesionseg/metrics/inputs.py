"""Inputs of the metrics as tensors: masks as bool by the official rule, ids as rows of bytes."""

from collections.abc import Sequence

import torch
from torch import Tensor

from lesionseg.metrics.official import GRAY_THRESHOLD, PROBABILITY_THRESHOLD

Masks = Tensor | Sequence[Tensor]

ID_BYTES = 128
"""Longest id, in UTF-8 bytes."""


def masks_to_bool(masks: Masks, name: str) -> Tensor | list[Tensor]:
    """Return bool masks without their channel dimension.

    bool is returned unchanged; floating point is a probability, > 0.5 is lesion; uint8 is a gray
    value, > 128 is lesion; other integers must be 0 or 1.

    Args:
        masks: Tensor (N, 1, H, W) or (N, H, W), or a sequence of N tensors (1, H, W) or (H, W)
            whose sizes may differ.
        name: What the masks are, for error messages.

    Returns:
        Bool tensor (N, H, W), or a list of N bool tensors (H, W).

    Raises:
        ValueError: If a shape, dtype or value is not permitted. uint8 masks of 0 and one other
            number up to 128 are not, because that number probably means lesion.
    """
    if isinstance(masks, Tensor):
        if masks.ndim == 4 and masks.shape[1] == 1:
            masks = masks[:, 0]
        if masks.ndim != 3:
            raise ValueError(
                f"expected {name} to be (N, 1, H, W) or (N, H, W), or a list of (H, W) masks, "
                f"got shape {tuple(masks.shape)}"
            )
        _check_values([masks], name)
        return _to_bool(masks)
    planes = [_plane(mask, name) for mask in masks]
    _check_values(planes, name)
    return [_to_bool(mask) for mask in planes]


def check_sizes(maps: Masks, truth: Masks, name: str) -> None:
    """Check that predicted maps and true masks (N, H, W) fit together.

    Args:
        maps: Predicted masks or probabilities.
        truth: True masks.
        name: What the maps are, for error messages.

    Raises:
        ValueError: If their numbers or sizes differ, or a mask has no pixels.
    """
    if len(maps) != len(truth):
        raise ValueError(
            f"expected {name} and truth to have the same number of masks, got {len(maps)} and "
            f"{len(truth)}"
        )
    for predicted, true in zip(maps, truth, strict=True):
        if predicted.shape[-2:] != true.shape[-2:]:
            raise ValueError(
                f"expected {name} to have the truth's size {tuple(true.shape[-2:])}, got "
                f"{tuple(predicted.shape[-2:])}; resize the probabilities to the truth's size"
            )
        if not true.numel():
            raise ValueError("expected masks with pixels, got a mask with no pixels; leave it out")


def _plane(mask: Tensor, name: str) -> Tensor:
    if not isinstance(mask, Tensor):
        raise ValueError(f"expected {name} to hold tensors, got {type(mask).__name__}")
    if mask.ndim == 3 and mask.shape[0] == 1:
        mask = mask[0]
    if mask.ndim != 2:
        raise ValueError(
            f"expected {name} to hold masks (1, H, W) or (H, W), got shape {tuple(mask.shape)}"
        )
    return mask


def _to_bool(mask: Tensor) -> Tensor:
    if mask.dtype == torch.bool:
        return mask
    if mask.dtype == torch.uint8:
        return mask > GRAY_THRESHOLD
    return mask > PROBABILITY_THRESHOLD


def _check_values(masks: Sequence[Tensor], name: str) -> None:
    """Check all masks of one update together, which waits for the device only once."""
    masks = [mask for mask in masks if mask.numel() and mask.dtype != torch.bool]
    for dtype in {mask.dtype for mask in masks}:
        if dtype.is_complex:
            raise ValueError(
                f"expected {name} to be bool, uint8, 0/1 integers or probabilities, got {dtype}"
            )
        ranges = torch.stack(
            [torch.stack(torch.aminmax(mask.detach())) for mask in masks if mask.dtype == dtype]
        )
        low, high = ranges[:, 0].min().item(), ranges[:, 1].max().item()
        if dtype == torch.uint8:
            # Dark masks with soft edges pass: they are empty by the official rule.
            if 0 < high <= GRAY_THRESHOLD and all(
                ((mask == 0) | (mask == high)).all() for mask in masks if mask.dtype == dtype
            ):
                raise ValueError(
                    f"expected {name} of uint8 to have gray values above {GRAY_THRESHOLD} for "
                    f"lesion, got only 0 and {high}; pass .bool()"
                )
        elif not (low >= 0 and high <= 1):  # also true for NaN
            if dtype.is_floating_point:
                raise ValueError(
                    f"expected {name} to be probabilities in [0, 1], got {low:g} to {high:g}; "
                    "apply torch.sigmoid to logits"
                )
            raise ValueError(
                f"expected {name} to be 0/1 integers, got {low:g} to {high:g}; "
                "pass .to(torch.uint8) for gray values"
            )


def encode_ids(ids: Sequence[str] | None, number: int) -> Tensor:
    """Return ids as a uint8 tensor, because only tensors can be gathered across processes.

    Args:
        ids: A name for each image, or None.
        number: Number of images.

    Returns:
        uint8 tensor (number, 128) of zero-padded UTF-8; all zeros if ``ids`` is None.

    Raises:
        ValueError: If there are not ``number`` ids, or an id is empty, too long, or not text.
    """
    if ids is None:
        return torch.zeros((number, ID_BYTES), dtype=torch.uint8)
    if isinstance(ids, str) or len(ids) != number:
        got = "a string" if isinstance(ids, str) else f"{len(ids)} for {number} images"
        raise ValueError(f"expected ids to be a list with an id for each image, got {got}")
    encoded = bytearray()
    for name in ids:
        if not isinstance(name, str):
            raise ValueError(f"expected ids to hold strings, got {type(name).__name__}")
        text = name.encode()
        if not text or b"\0" in text:
            raise ValueError(
                f"expected an id without null characters that is not empty, got {name!r}"
            )
        if len(text) > ID_BYTES:
            raise ValueError(
                f"expected ids of at most {ID_BYTES} bytes, got {len(text)} bytes in {name[:20]!r}"
            )
        encoded += text.ljust(ID_BYTES, b"\0")
    if not number:
        return torch.zeros((0, ID_BYTES), dtype=torch.uint8)
    return torch.frombuffer(encoded, dtype=torch.uint8).reshape(number, ID_BYTES)


def decode_ids(rows: Tensor) -> list[str | None]:
    """Return the ids of :func:`encode_ids`, None for a row of zeros."""
    raw = (bytes(row.tobytes()).rstrip(b"\0") for row in rows.cpu().numpy())
    return [text.decode() if text else None for text in raw]
