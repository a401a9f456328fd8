"""Load trained models by name or folder."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import torch

from lesionseg.checkpoints import read_checkpoint
from lesionseg.errors import CheckpointError
from lesionseg.hub import locate_pretrained
from lesionseg.inference.predictor import usable_device
from lesionseg.models.checkpointing import PRETRAINED_CLASSES
from lesionseg.models.loading import load_model
from lesionseg.pretrained import suggest_names

if TYPE_CHECKING:
    from lesionseg.models.base import SegmentationModule


def from_pretrained(source: str | Path, device: str | torch.device = "cpu") -> SegmentationModule:
    """Load a trained model.

    No code in the files is run, and nothing is downloaded unless it is on the Hugging Face Hub.

    Args:
        source: A name of :func:`lesionseg.list_pretrained`; a folder that
            :meth:`~lesionseg.models.SegmentationModule.save_pretrained` wrote; or ``owner/name``
            on the Hugging Face Hub, where
            :meth:`~lesionseg.models.SegmentationModule.push_to_hub` uploaded it (needs
            ``lesionseg[hub]``). A folder of this name in the current folder is preferred.
        device: Device of the model; ``"auto"`` takes a GPU if there is one.

    Returns:
        The model, in eval mode. ``network`` is the plain network, which maps images (N, 3, H, W) in
        [0, 1] to logits (N, 1, H, W), best at the height and width of ``size``.
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

    folder = locate_pretrained(source)
    if folder is None:
        raise CheckpointError(
            f"there is no pretrained model {str(source)!r}: {suggest_names(str(source))}; or give "
            "a folder that save_pretrained wrote."
        )
    device = usable_device(device)
    class_path = read_checkpoint(folder)["hyper_parameters"]["_class_path"]
    name = class_path.rpartition(".")[2]
    if not class_path.startswith("lesionseg.") or name not in PRETRAINED_CLASSES:
        raise CheckpointError(f"{folder} is of the class {class_path}, which is not of lesionseg.")
    cls: type[SegmentationModule] = getattr(models, name)
    return load_model(cls, folder, "cpu", None, None, {}).to(device).eval()
