"""Image ids as rows of bytes, because only tensors can be gathered across processes."""

from collections.abc import Sequence

import torch
from torch import Tensor

ID_BYTES = 128
"""Longest id, in UTF-8 bytes."""


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
