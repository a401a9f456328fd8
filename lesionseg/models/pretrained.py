"""Trained models by name or folder, and folders of trained models."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch

from lesionseg._version import __version__
from lesionseg.checkpoints import OUTSIDE_WEIGHTS, forget, read_checkpoint
from lesionseg.errors import CheckpointError, LesionsegError, shorten
from lesionseg.inference.predictor import usable_device
from lesionseg.models.hub import download_pretrained, is_hub_id
from lesionseg.models.loading import load_model
from lesionseg.pretrained import find_pretrained, network_weights, suggest_names, write_pretrained

if TYPE_CHECKING:
    from lesionseg.models.base import SegmentationModule

_CLASSES = ("ASNet", "GANFCN", "MobileGAN", "SegAN", "Segmenter")
_LEFT_OUT = ("compile", "init_from", "teacher", "_class_path", "_instantiator")


def from_pretrained(source: str | Path, device: str | torch.device = "cpu") -> SegmentationModule:
    """Load a trained model.

    No code is run that the files may hold, and nothing is downloaded but for an id of the Hugging
    Face Hub.

    Args:
        source: A name of :func:`lesionseg.list_pretrained`; a folder that
            :meth:`~lesionseg.models.SegmentationModule.save_pretrained` wrote; or ``owner/name``
            on the Hugging Face Hub, where
            :meth:`~lesionseg.models.SegmentationModule.push_to_hub` uploaded it (needs
            ``lesionseg[hub]``). A folder of this name in the current folder is preferred.
        device: Where it goes; ``"auto"`` takes a GPU where there is one.

    Returns:
        The model, in eval mode. ``network`` is the plain network: images float (N, 3, H, W) in
        [0, 1] in, logits (N, 1, H, W) out, at best at the height and width of ``size``.
        :func:`lesionseg.segment` takes the model for photographs of any size.

    Raises:
        CheckpointError: If there is no such model, or its files are damaged.
        LesionsegError: If there is no such device.

    Example:
        >>> import lesionseg
        >>> model = lesionseg.from_pretrained("mobilegan")
        >>> model.size, model.threshold
        ((128, 128), 0.5)
    """
    from lesionseg import models

    folder = find_pretrained(source)
    if folder is None and is_hub_id(str(source)):
        folder = download_pretrained(str(source))
    if folder is None:
        raise CheckpointError(
            f"there is no pretrained model {str(source)!r}: {suggest_names(str(source))}; or give "
            "a folder that save_pretrained wrote."
        )
    device = usable_device(device)
    class_path = read_checkpoint(folder)["hyper_parameters"]["_class_path"]
    name = class_path.rpartition(".")[2]
    if not class_path.startswith("lesionseg.") or name not in _CLASSES:
        raise CheckpointError(f"{folder} is of the class {class_path}, which is not of lesionseg.")
    cls: type[SegmentationModule] = getattr(models, name)
    return load_model(cls, folder, "cpu", None, None, {}).to(device).eval()


def save_pretrained(
    model: SegmentationModule, folder: str | Path, dtype: torch.dtype = torch.float16
) -> Path:
    """Write a model's folder; see :meth:`~lesionseg.models.SegmentationModule.save_pretrained`."""
    name = type(model).__name__
    network = getattr(model.network, "_orig_mod", model.network)
    spec = getattr(network, "spec", None)
    if not type(model).__module__.startswith("lesionseg.") or name not in _CLASSES or not spec:
        raise LesionsegError(
            f"only models of lesionseg with a registered network are saved so, not {name}; use "
            "trainer.save_checkpoint, or torch.save of network.state_dict()."
        )
    state = network_weights(model.state_dict())
    state = {
        name.replace("_orig_mod.", ""): value.to(dtype) if value.is_floating_point() else value
        for name, value in state.items()
    }
    broken = [name for name, value in state.items() if not value.isfinite().all()]
    if broken:
        raise LesionsegError(
            f"{len(broken)} weights are not finite in {dtype} ({shorten(broken)}); save with "
            "dtype=torch.float32, or an earlier checkpoint."
        )
    arguments = dict(model.hparams) | {"size": list(model.size)}
    card = describe(f"lesionseg.{name}", arguments, spec, model.size, model.threshold)
    write_pretrained(Path(folder), card, state, model.trained_on)
    return Path(folder)


def describe(
    class_path: str,
    arguments: Mapping[str, Any],
    spec: Mapping[str, Any],
    size: tuple[int, int],
    threshold: float,
) -> dict[str, Any]:
    """Return what a card must say so that its model can be built.

    Args:
        class_path: Of the model.
        arguments: Of the model; those that name files are left out.
        spec: Name and arguments of its network.
        size: (height, width) at which images are fed.
        threshold: A pixel is lesion where its probability exceeds this.
    """
    arguments = {key: value for key, value in arguments.items() if key not in _LEFT_OUT}
    network = {"name": spec["name"], "arguments": dict(spec["arguments"])}
    for one in (arguments, network["arguments"]):
        forget(one, OUTSIDE_WEIGHTS)
    return {
        "version": __version__,
        "network": network,
        "size": list(size),
        "threshold": threshold,
        "model": {"class_path": class_path, "init_args": arguments},
    }
