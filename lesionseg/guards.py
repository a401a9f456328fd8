"""Refuse images and masks of a type or range that networks and losses would take wrongly."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor

_ONE_VALUE = "Expected more than 1 value per channel when training"  # of batch normalization
_TOO_SMALL = re.compile(
    "Output size is too small|Kernel size can't be greater than actual input size"
    "|Padding size should be less than|sizes should be greater than 0"
    "|Expected more than 1 spatial element when training"  # of instance normalization
)
_TOLERANCE = 0.1  # of images: resizing may overshoot, and wrong ranges are wrong by far more
_EVERY = 50  # calls on an accelerator, which has to be waited for

_calls: Counter[str] = Counter()


def check_images(owner: str, images: Tensor) -> None:
    """Refuse images that are no floating-point numbers from 0 to 1.

    The type is looked at in every call. The values are looked at on the CPU, which takes a
    thousandth of a network's time, and on other devices in every 50th call of an owner, because
    the program has to wait for them; not while a program is compiled, exported or traced.

    Args:
        owner: Who takes the images, for messages.
        images: Of any shape.

    Raises:
        ValueError: If the type is not floating point, or values lie outside [0, 1], with a
            tolerance of 0.1 for what resizing overshoots.
    """
    if not images.is_floating_point():
        raise ValueError(
            f"{owner} takes images of floating point in [0, 1], got {images.dtype}; "
            "convert them to float and divide by 255"
        )
    found = _range(owner, images)
    if found is None or (found[0] >= -_TOLERANCE and found[1] <= 1 + _TOLERANCE):
        return
    low, high = found
    mend = "divide them by their maximum" if low >= 0 else "normalization is part of the network"
    raise ValueError(f"{owner} takes images in [0, 1], got {low:g} to {high:g}; {mend}")


def check_masks(owner: str, masks: Tensor) -> None:
    """Refuse masks or probabilities outside [0, 1], of any type; looked at as :func:`check_images`.

    Raises:
        ValueError: If values lie outside [0, 1].
    """
    found = None if masks.dtype == torch.bool else _range(f"{owner}: masks", masks)
    if found is not None and not (found[0] >= 0 and found[1] <= 1):
        low, high = found
        raise ValueError(
            f"{owner} takes masks of 0 and 1, got {low:g} to {high:g}; divide them by their maximum"
        )


def check_batch(owner: str, batch: Any, *needed: str) -> None:
    """Refuse a batch that is no dict of images, and masks where they are needed.

    Args:
        owner: Who takes the batch, for messages.
        batch: As :func:`lesionseg.data.collate_samples` makes it.
        *needed: The keys that it must have.

    Raises:
        ValueError: If it has another form, or :func:`check_images` or :func:`check_masks` refuses
            its content.
    """
    if not isinstance(batch, Mapping) or not set(needed).issubset(batch):
        keys = f"a dict of {', '.join(map(str, batch))}" if isinstance(batch, Mapping) else ""
        raise ValueError(
            f"{owner} takes batches that are dicts with {', '.join(needed)}, got "
            f"{keys or type(batch).__name__}; see lesionseg.data.Batch"
        )
    check_images(owner, batch["image"])
    if "mask" in batch:
        check_masks(owner, batch["mask"])


@contextmanager
def shapes_explained(owner: str, images: Tensor) -> Iterator[None]:
    """Say in a sentence that a batch has too few, or too small, images for a network.

    What a network can take is not always known before it has tried: batch normalization fails in
    training where a map is one pixel of one image, pooling where nothing is left to pool.

    Args:
        owner: Who takes the images, for messages.
        images: (N, C, H, W), which are fed to a network within the block.

    Raises:
        ValueError: If the network fails because of their number or size.
    """
    try:
        yield
    except (RuntimeError, ValueError) as error:
        message = str(error)
        height, width = images.shape[-2:]
        if _ONE_VALUE in message:
            raise ValueError(
                f"{owner} cannot train on {len(images)} image of {height} x {width} at a time, "
                "because batch normalization needs more; use a batch_size of 2 or more, and at "
                "least 2 training images for each process"
            ) from error
        if _TOO_SMALL.search(message):
            raise ValueError(
                f"images of {height} x {width} are too small for the network of {owner}; use a "
                "larger size (--data.size)"
            ) from error
        raise


def _range(owner: str, tensor: Tensor) -> tuple[float, float] | None:
    """Least and greatest value; None where they are not looked at."""
    if (
        torch.compiler.is_compiling()
        or torch._C._get_tracing_state() is not None  # of torch.jit.trace
        or type(tensor) not in (Tensor, torch.nn.Parameter)  # such as FakeTensor
        or tensor.is_meta
        or torch._C._functorch.is_functorch_wrapped_tensor(tensor)  # of vmap and grad
        or not tensor.numel()
    ):
        return None
    if not _is_at_hand(tensor):
        _calls[owner] += 1
        if _calls[owner] % _EVERY != 1:
            return None
        if tensor.is_cuda and torch.cuda.is_current_stream_capturing():
            return None
    values = tensor.detach()
    if values.dtype in (torch.float16, torch.bfloat16):
        values = values.float()
    low, high = torch.aminmax(values)
    return low.item(), high.item()


def _is_at_hand(tensor: Tensor) -> bool:
    """Whether its values can be read without waiting for a device."""
    return tensor.device.type == "cpu"
