"""Refuse images and masks of a type or range that networks and losses would misread."""

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
_EVERY = 50  # calls on an accelerator, because reading values waits for it

_calls: Counter[str] = Counter()


def check_images(owner: str, images: Tensor) -> None:
    """Refuse images that are not floating point in [0, 1].

    The type is checked in every call. Values are checked in every call on the CPU, which takes a
    thousandth of a network's time, and in every 50th call of an owner on other devices, because
    the program has to wait for them. They are not checked while a program is compiled, exported
    or traced.

    Args:
        owner: Network or model that takes the images, for messages.
        images: Images of any shape.

    Raises:
        ValueError: If the type is not floating point, or values are outside [0, 1] by more than
            0.1, which resizing may overshoot by.

    Example:
        >>> import torch
        >>> from lesionseg.guards import check_images
        >>> check_images("UNet", torch.rand(1, 3, 8, 8))
        >>> check_images("UNet", torch.zeros(1, 3, 8, 8, dtype=torch.uint8))
        Traceback (most recent call last):
        ValueError: expected images of UNet to be floating point in [0, 1], got torch.uint8; ...
    """
    if not images.is_floating_point():
        raise ValueError(
            f"expected images of {owner} to be floating point in [0, 1], got {images.dtype}; "
            "convert them to float and divide by 255"
        )
    found = _range(owner, images)
    if found is None or (found[0] >= -_TOLERANCE and found[1] <= 1 + _TOLERANCE):
        return
    low, high = found
    fix = "divide them by their maximum" if low >= 0 else "normalization is part of the network"
    raise ValueError(f"expected images of {owner} to be in [0, 1], got {low:g} to {high:g}; {fix}")


def check_masks(owner: str, masks: Tensor) -> None:
    """Refuse masks or probabilities outside [0, 1], checked as often as :func:`check_images`.

    Args:
        owner: Network, loss or model that takes the masks, for messages.
        masks: Masks of any shape and type.

    Raises:
        ValueError: If values are outside [0, 1].
    """
    found = None if masks.dtype == torch.bool else _range(f"{owner}: masks", masks)
    if found is not None and not (found[0] >= 0 and found[1] <= 1):
        low, high = found
        raise ValueError(
            f"expected masks of {owner} to be 0 and 1, got {low:g} to {high:g}; divide them by "
            "their maximum"
        )


def check_batch(owner: str, batch: Any, *needed: str) -> None:
    """Refuse a batch that is not a dict with valid images and masks.

    Args:
        owner: Model that takes the batch, for messages.
        batch: Batch of :func:`lesionseg.data.collate_samples`.
        *needed: Keys that it must have.

    Raises:
        ValueError: If it is not such a dict, or :func:`check_images` or :func:`check_masks`
            refuses its content.
    """
    if not isinstance(batch, Mapping) or not set(needed).issubset(batch):
        keys = f"a dict of {', '.join(map(str, batch))}" if isinstance(batch, Mapping) else ""
        raise ValueError(
            f"expected batches of {owner} to be dicts with {', '.join(needed)}, got "
            f"{keys or type(batch).__name__}; see lesionseg.data.Batch"
        )
    check_images(owner, batch["image"])
    if "mask" in batch:
        check_masks(owner, batch["mask"])


@contextmanager
def shapes_explained(owner: str, images: Tensor) -> Iterator[None]:
    """Explain an error of a network that has too few or too small images.

    Such limits often show only in the forward pass: batch normalization fails in training where a
    map is a single pixel of a single image, pooling where nothing is left to pool.

    Args:
        owner: Model that takes the images, for messages.
        images: Images (N, C, H, W) that are fed to a network within the block.

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
    """Return the smallest and greatest value; None where values are not checked."""
    if (
        torch.compiler.is_compiling()
        or torch._C._get_tracing_state() is not None  # of torch.jit.trace
        or type(tensor) not in (Tensor, torch.nn.Parameter)  # such as FakeTensor
        or tensor.is_meta
        or torch._C._functorch.is_functorch_wrapped_tensor(tensor)  # of vmap and grad
        or not tensor.numel()
    ):
        return None
    if not _is_on_cpu(tensor):
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


def _is_on_cpu(tensor: Tensor) -> bool:
    return tensor.device.type == "cpu"
