"""The user's own transforms of samples: pipelines of torchvision or albumentations."""

import random
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, TypeAlias

import numpy as np
import torch
from torch import Tensor

from lesionseg.data.datasets.sample import Sample
from lesionseg.errors import InvalidDataError

Transforms: TypeAlias = Callable[..., Any]
"""Pipeline of torchvision's v2 transforms or albumentations, or a function of image and mask."""

_TOLERANCE = 1e-3  # of rounding, which is clamped


def apply_transforms(transforms: Transforms, sample: Sample, seed: int | None = None) -> Sample:
    """Return a sample with its image and mask transformed together.

    Args:
        transforms: A pipeline of albumentations gets ``image``, uint8 (H, W, 3), and ``mask``,
            uint8 (H, W) in {0, 1}. All others, such as torchvision's v2 transforms, get a
            ``tv_tensors.Image``, float32 (3, H, W) in [0, 1], and a ``tv_tensors.Mask``, float32
            (1, H, W) in {0, 1}, as two arguments, and return both. Samples without a mask pass
            only the image.
        sample: A sample without ``truth``; it is not changed.
        seed: Seed of the random numbers of torch, NumPy, Python and albumentations, of which the
            first three are restored afterwards; None draws from their generators, and
            albumentations' seed from torch's.

    Raises:
        InvalidDataError: If the result is not an image in [0, 1] and a binary mask of one size.

    Example:
        >>> from torchvision.transforms import v2
        >>> mask = torch.tensor([[[1.0, 0.0, 0.0]]])
        >>> sample = Sample(image=mask.expand(3, 1, 3), mask=mask, id="a", size=(1, 3))
        >>> apply_transforms(v2.RandomHorizontalFlip(p=1.0), sample)["mask"]
        tensor([[[0., 0., 1.]]])
    """
    mask = sample.get("mask")
    image = sample["image"].clone()  # the cache's rows share memory
    mask = None if mask is None else mask.clone()
    if seed is None:
        changed = _call(transforms, image, mask)
    else:
        with _seeded(seed):
            changed = _call(transforms, image, mask)
    result = Sample(
        image=_checked_image(changed[0], transforms), id=sample["id"], size=sample["size"]
    )
    if mask is not None:
        result["mask"] = _checked_mask(changed[1], result["image"], transforms)
    return result


def _call(transforms: Transforms, image: Tensor, mask: Tensor | None) -> tuple[Any, Any]:
    if _is_albumentations(transforms):
        return _call_albumentations(transforms, image, mask)
    from torchvision import tv_tensors

    if mask is None:
        return transforms(tv_tensors.Image(image)), None
    result = transforms(tv_tensors.Image(image), tv_tensors.Mask(mask))
    if not isinstance(result, tuple | list) or len(result) != 2:
        raise InvalidDataError(
            f"expected transforms to return image and mask, got {_kind(result)} from "
            f"{_kind(transforms)}; compose transforms of both, such as torchvision.transforms.v2."
        )
    return result[0], result[1]


def _is_albumentations(transforms: Transforms) -> bool:
    return any(
        kind.__module__.split(".")[0] == "albumentations" for kind in type(transforms).__mro__
    )


def _call_albumentations(
    transforms: Transforms, image: Tensor, mask: Tensor | None
) -> tuple[Any, Any]:
    if hasattr(transforms, "set_random_seed"):  # its own generators ignore torch's seed
        transforms.set_random_seed(int(torch.randint(2**31, ())))
    arrays = {"image": (image * 255).round().byte().permute(1, 2, 0).contiguous().numpy()}
    if mask is not None:
        arrays["mask"] = mask[0].byte().numpy()
    result: Mapping[str, Any] = transforms(**arrays)
    changed = result["image"]
    if isinstance(changed, np.ndarray) and changed.ndim == 3:
        changed = torch.from_numpy(np.ascontiguousarray(changed)).permute(2, 0, 1)
    if isinstance(changed, Tensor) and changed.dtype == torch.uint8:
        changed = changed.float() / 255
    moved = result.get("mask")
    if isinstance(moved, np.ndarray):
        moved = torch.from_numpy(np.ascontiguousarray(moved))
    if isinstance(moved, Tensor):
        moved = moved[None] if moved.ndim == 2 else moved.reshape(1, *moved.shape[:2])
    return changed, moved


def _checked_image(image: Any, transforms: Transforms) -> Tensor:
    if (
        not isinstance(image, Tensor)
        or image.ndim != 3
        or image.shape[0] != 3
        or not image.is_floating_point()
    ):
        raise InvalidDataError(
            f"expected transforms to return an image of 3 channels in [0, 1], got {_kind(image)} "
            f"from {_kind(transforms)}."
        )
    image = image.as_subclass(Tensor).float()  # no tv_tensor
    low, high = (float(value) for value in image.aminmax()) if image.numel() else (0.0, 0.0)
    if not (low >= -_TOLERANCE and high <= 1 + _TOLERANCE):  # also of NaN
        raise InvalidDataError(
            f"expected transforms to return an image in [0, 1], got {low:.3g} to {high:.3g} from "
            f"{_kind(transforms)}; remove normalization, which the network does itself, or clamp."
        )
    checked: Tensor = image.clamp(0, 1).contiguous()
    return checked


def _checked_mask(mask: Any, image: Tensor, transforms: Transforms) -> Tensor:
    size = tuple(image.shape[1:])
    if not isinstance(mask, Tensor) or tuple(mask.shape) != (1, *size):
        raise InvalidDataError(
            f"expected transforms to return a mask of the image's size {size}, got {_kind(mask)} "
            f"from {_kind(transforms)}; transform image and mask alike."
        )
    mask = mask.as_subclass(Tensor).float()
    if not ((mask == 0) | (mask == 1)).all():
        raise InvalidDataError(
            f"expected transforms to return a mask of 0 and 1, got {float(mask.min()):.3g} to "
            f"{float(mask.max()):.3g} with values between them from {_kind(transforms)}; resample "
            "masks with nearest-neighbor interpolation, and change their values in no other way."
        )
    checked: Tensor = mask.contiguous()
    return checked


def _kind(value: Any) -> str:
    """Describe a value: its type, and of arrays dtype and shape."""
    shape = getattr(value, "shape", None)
    if shape is None:
        return getattr(value, "__qualname__", type(value).__name__)
    return f"{type(value).__name__} of {value.dtype} {tuple(shape)}"


@contextmanager
def _seeded(seed: int) -> Iterator[None]:
    """Seed the global generators of torch's CPU, NumPy and Python, and restore them afterwards."""
    python, numpy = random.getstate(), np.random.get_state()  # noqa: NPY002
    try:
        with torch.random.fork_rng(devices=[]):
            torch.default_generator.manual_seed(seed)
            random.seed(seed)
            np.random.seed(seed % 2**32)  # noqa: NPY002
            yield
    finally:
        random.setstate(python)
        np.random.set_state(numpy)  # noqa: NPY002
