"""Save a model to checkpoints and folders, and load it from them."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from pathlib import Path
from typing import Any, ClassVar

import torch
from lightning.pytorch import LightningModule
from torch import nn
from typing_extensions import Self

from lesionseg._version import __version__
from lesionseg.checkpoints import OUTSIDE_WEIGHTS, Location, check_weights_only, forget
from lesionseg.errors import LesionsegError, shorten
from lesionseg.hub import push_to_hub
from lesionseg.models.finite import check_weights, fitting_trainer
from lesionseg.models.loading import load_model, rename_weights
from lesionseg.models.resume import check_resumable
from lesionseg.networks.temperature import set_temperature, temperature_of
from lesionseg.pretrained import network_weights, write_pretrained

PRETRAINED_CLASSES = ("ASNet", "GANFCN", "MobileGAN", "SegAN", "Segmenter")
"""Models that ``save_pretrained`` saves and ``from_pretrained`` loads."""

_LEFT_OUT = ("compile", "init_from", "teacher", "_class_path", "_instantiator")


class CheckpointedModule(LightningModule, ABC):
    """Saving and loading of a model; base of :class:`SegmentationModule`."""

    network: nn.Module
    threshold: float
    trained_on: frozenset[str]
    _fit_seed: int | None
    #: Hyperparameters that name files of weights; a checkpoint has the weights themselves.
    outside_weights: ClassVar[tuple[str, ...]] = OUTSIDE_WEIGHTS

    @property
    @abstractmethod
    def size(self) -> tuple[int, int]:
        """(height, width) of the images that the network sees."""

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Make the checkpoint self-contained.

        Adds the class and the size of the training images, drops the sources of pretrained weights
        and the prefix of ``torch.compile``, and stores under ``lesionseg`` how to rebuild the plain
        network without Lightning and which images of the ISIC archive it was trained on.

        Raises:
            LesionsegError: If weights are not finite while fitting; an earlier file stays.
        """
        trainer = fitting_trainer(self)
        if trainer is not None:
            check_weights(trainer, checkpoint["state_dict"])
        cls = type(self)
        hyper_parameters = checkpoint.setdefault("hyper_parameters", {})
        hyper_parameters["_class_path"] = f"{cls.__module__}.{cls.__qualname__}"
        hyper_parameters["size"] = list(self.size)
        forget(hyper_parameters, self.outside_weights)
        checkpoint["state_dict"] = {
            key.replace("_orig_mod.", ""): value for key, value in checkpoint["state_dict"].items()
        }
        spec = self._network_spec()
        if spec is not None:
            spec = {"name": spec["name"], "arguments": dict(spec["arguments"])}
            forget(spec["arguments"], self.outside_weights)
        checkpoint["lesionseg"] = {
            "version": __version__,
            "network": spec,
            "size": list(self.size),
            "threshold": self.threshold,
            "trained_on": sorted(self.trained_on),
            "seed": self._fit_seed,
            **self._calibration(),
        }

    def _calibration(self) -> dict[str, float]:
        """Return the temperature, unless it is 1."""
        temperature = temperature_of(self.network)
        return {} if temperature == 1 else {"temperature": temperature}

    def _network_spec(self) -> dict[str, Any] | None:
        """Return name and arguments of the network, also under ``torch.compile``."""
        spec: dict[str, Any] | None
        spec = getattr(getattr(self.network, "_orig_mod", self.network), "spec", None)
        return spec

    @classmethod
    def load_from_checkpoint(  # type: ignore[override]  # Lightning's is a descriptor
        cls,
        checkpoint_path: str | Path,
        map_location: Location = None,
        hparams_file: str | Path | None = None,
        strict: bool | None = None,
        weights_only: bool | None = None,
        **kwargs: Any,
    ) -> Self:
        """Load a model with its weights, without running code that the file may hold.

        Nothing is downloaded, even if the checkpoint names pretrained weights.

        Args:
            checkpoint_path: Path of a local file.
            map_location: Where to put the weights; see :func:`torch.load`. None takes the device
                that they were saved from, or the CPU if there is no such device.
            hparams_file: YAML file of arguments that replace the checkpoint's.
            strict: Whether the names of the weights must be exactly the model's; None takes
                ``strict_loading``.
            weights_only: None or True.
            **kwargs: Arguments of the model that override the checkpoint's.

        Raises:
            CheckpointError: If the file cannot be read, or its arguments or weights do not fit.
            ValueError: If ``weights_only`` is False.
        """
        check_weights_only(weights_only)
        return load_model(cls, checkpoint_path, map_location, hparams_file, strict, kwargs)

    def save_pretrained(self, folder: str | Path, dtype: torch.dtype = torch.float16) -> Path:
        """Write the model as a folder that :func:`lesionseg.from_pretrained` reads.

        The folder holds the network's weights as ``model.safetensors``, a ``card.json`` and the ids
        of the ISIC images that it was trained on, without optimizer and discriminator.

        Args:
            folder: Created if it is missing; the three files in it are replaced.
            dtype: Data type of the weights in the file.

        Returns:
            The folder.

        Raises:
            LesionsegError: If the model or its network is of another package, or weights are not
                finite in ``dtype``.
        """
        cls = type(self)
        spec = self._network_spec()
        if (
            not cls.__module__.startswith("lesionseg.")
            or cls.__name__ not in PRETRAINED_CLASSES
            or not spec
        ):
            raise LesionsegError(
                "save_pretrained is only for models of lesionseg with a registered network, not "
                f"{cls.__name__}; use trainer.save_checkpoint, or torch.save of "
                "network.state_dict()."
            )
        state = {
            name.replace("_orig_mod.", ""): value.to(dtype) if value.is_floating_point() else value
            for name, value in network_weights(self.state_dict()).items()
        }
        broken = [name for name, value in state.items() if not value.isfinite().all()]
        if broken:
            raise LesionsegError(
                f"{len(broken)} weights are not finite in {dtype} ({shorten(broken)}); save with "
                "dtype=torch.float32, or an earlier checkpoint."
            )
        arguments = dict(self.hparams) | {"size": list(self.size)}
        card = describe(f"lesionseg.{cls.__name__}", arguments, spec, self.size, self.threshold)
        write_pretrained(Path(folder), card | self._calibration(), state, self.trained_on)
        return Path(folder)

    def push_to_hub(
        self,
        hub_id: str,
        private: bool | None = None,
        token: str | None = None,
        message: str = "Upload a lesionseg model",
    ) -> str:
        """Upload the model to the Hugging Face Hub, with a generated model card.

        The files are those of :meth:`save_pretrained`, and a ``README.md``.

        Args:
            hub_id: ``owner/name``; the repository is created if it is missing.
            private: Whether a new repository is private; None takes the owner's default.
            token: Access token; None takes that of ``hf auth login``.
            message: Message of the commit.

        Returns:
            The URL of the commit.

        Raises:
            CheckpointError: If the Hub refuses the upload or cannot be reached.
            LesionsegError: If ``huggingface_hub`` is not installed; see also
                :meth:`save_pretrained`.
            ValueError: If ``hub_id`` is not ``owner/name``.
        """
        return push_to_hub(self.save_pretrained, hub_id, private, token, message)

    def on_load_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Take the seed and the ids of the training images, which old checkpoints do not have.

        Raises:
            LesionsegError: See :func:`lesionseg.models.resume.check_resumable`.
        """
        trainer = fitting_trainer(self)
        if trainer is not None:
            check_resumable(checkpoint, self.hparams, trainer.ckpt_path)
        rename_weights(checkpoint["state_dict"])
        facts = checkpoint.get("lesionseg", {})
        if facts.get("network_only"):  # a pretrained model: an adversary starts from scratch
            for name, value in self.state_dict().items():
                if not name.startswith("network."):
                    checkpoint["state_dict"].setdefault(name, value)
        self.trained_on = frozenset(facts.get("trained_on", ()))
        self._fit_seed = facts.get("seed")
        set_temperature(self.network, facts.get("temperature", 1.0))


def describe(
    class_path: str,
    arguments: Mapping[str, Any],
    spec: Mapping[str, Any],
    size: tuple[int, int],
    threshold: float,
) -> dict[str, Any]:
    """Return the part of a card from which a model is built.

    Args:
        class_path: Class of the model.
        arguments: Arguments of the model; those that name files are left out.
        spec: Name and arguments of its network.
        size: (height, width) of the images that the network sees.
        threshold: A pixel is lesion if its probability is above this.
    """
    arguments = {key: value for key, value in arguments.items() if key not in _LEFT_OUT}
    network = {"name": spec["name"], "arguments": dict(spec["arguments"])}
    forget(arguments)
    forget(network["arguments"])
    return {
        "version": __version__,
        "network": network,
        "size": list(size),
        "threshold": threshold,
        "model": {"class_path": class_path, "init_args": arguments},
    }
