"""From masks and probabilities of any permitted dtype to bool, by the official rule."""

from collections.abc import Sequence

import torch
from torch import Tensor

from lesionseg.metrics.official import GRAY_THRESHOLD, PROBABILITY_THRESHOLD

Masks = Tensor | Sequence[Tensor]

ID_BYTES = 128
"""Longest id, in UTF-8 bytes."""


def masks_to_bool(masks: Masks, name: str) -> Tensor | list[Tensor]:
    """Return bool masks without their channel dimension.

    bool is taken as it is; floating point is a probability, > 0.5 is lesion; uint8 is a grey
    value, > 128 is lesion; other integers must be 0 or 1.

    Args:
        masks: Tensor (N, 1, H, W) or (N, H, W), or a sequence of N tensors (1, H, W) or (H, W)
            whose sizes may differ.
        name: What the masks are, for error messages.

    Returns:
        Bool tensor (N, H, W), or a list of N bool tensors (H, W).

    Raises:
        ValueError: If a shape, a dtype or a value is not permitted; uint8 masks that hold one
            number beside 0 that is not above 128 are not, because it is probably lesion.
    """
    if isinstance(masks, Tensor):
        if masks.ndim == 4 and masks.shape[1] == 1:
            masks = masks[:, 0]
        if masks.ndim != 3:
            raise ValueError(
                f"{name} has shape {tuple(masks.shape)}; pass (N, 1, H, W) or (N, H, W), "
                "or a list of (H, W) masks"
            )
        _check_values([masks], name)
        return _to_bool(masks)
    planes = [_plane(mask, name) for mask in masks]
    _check_values(planes, name)
    return [_to_bool(mask) for mask in planes]


def _plane(mask: Tensor, name: str) -> Tensor:
    if not isinstance(mask, Tensor):
        raise ValueError(f"{name} holds a {type(mask).__name__}; pass tensors")
    if mask.ndim == 3 and mask.shape[0] == 1:
        mask = mask[0]
    if mask.ndim != 2:
        raise ValueError(
            f"{name} holds a mask of shape {tuple(mask.shape)}; pass (1, H, W) or (H, W)"
        )
    return mask


def _to_bool(mask: Tensor) -> Tensor:
    if mask.dtype == torch.bool:
        return mask
    if mask.dtype == torch.uint8:
        return mask > GRAY_THRESHOLD
    return mask > PROBABILITY_THRESHOLD


def _check_values(masks: Sequence[Tensor], name: str) -> None:
    """Check all masks of one update together: one wait for the device, not one each."""
    masks = [mask for mask in masks if mask.numel() and mask.dtype != torch.bool]
    for dtype in {mask.dtype for mask in masks}:
        if dtype.is_complex:
            raise ValueError(f"{name} is complex; pass bool, uint8, 0/1 integers or probabilities")
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
                    f"{name} is uint8 and its largest value is {high}, where grey values 0 to 255 "
                    f"are expected (lesion > 128); it is probably a {{0, {high}}} mask: "
                    "pass .bool()"
                )
        elif not (low >= 0 and high <= 1):  # also true for NaN
            found = f"values from {low:g} to {high:g}"
            if dtype.is_floating_point:
                raise ValueError(
                    f"{name} has {found}, where probabilities in [0, 1] are expected; "
                    "apply torch.sigmoid to logits"
                )
            raise ValueError(
                f"{name} is {dtype} with {found}; pass bool, 0/1 integers, "
                "or .to(torch.uint8) for grey values"
            )


def encode_ids(ids: Sequence[str] | None, number: int) -> Tensor:
    """Return a uint8 tensor (number, 128) of zero-padded UTF-8; all zeros where there are no ids.

    Raises:
        ValueError: If there are not ``number`` ids, or an id is empty, too long, or not text.
    """
    if ids is None:
        return torch.zeros((number, ID_BYTES), dtype=torch.uint8)
    if isinstance(ids, str) or len(ids) != number:
        got = "one string" if isinstance(ids, str) else f"{len(ids)}"
        raise ValueError(f"ids has {got} for {number} images; pass a list with one id per image")
    encoded = bytearray()
    for name in ids:
        if not isinstance(name, str):
            raise ValueError(f"ids holds a {type(name).__name__}; pass strings")
        text = name.encode()
        if not text or b"\0" in text:
            raise ValueError(f"the id {name!r} is empty or holds a null character; pass a name")
        if len(text) > ID_BYTES:
            raise ValueError(
                f"the id {name[:20]!r}... has {len(text)} bytes; shorten it to {ID_BYTES} or fewer"
            )
        encoded += text.ljust(ID_BYTES, b"\0")
    if not number:
        return torch.zeros((0, ID_BYTES), dtype=torch.uint8)
    return torch.frombuffer(encoded, dtype=torch.uint8).reshape(number, ID_BYTES)


def decode_ids(rows: Tensor) -> list[str | None]:
    """Return the ids of :func:`encode_ids`, None for a row of zeros."""
    raw = (bytes(row.tobytes()).rstrip(b"\0") for row in rows.cpu().numpy())
    return [text.decode() if text else None for text in raw]
