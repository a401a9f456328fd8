"""Any network of segmentation-models-pytorch."""

from collections.abc import Mapping
from difflib import get_close_matches
from typing import Any

from torch import Tensor

from lesionseg.blocks import Normalize
from lesionseg.errors import CheckpointError, LesionsegError
from lesionseg.networks.base import SegmentationNetwork
from lesionseg.networks.library_encoder import has_packaged_weights, load_packaged_weights

_SOURCES = {
    "cache_dir",
    "checkpoint_path",
    "pretrained",
    "pretrained_cfg",
    "pretrained_cfg_overlay",
}


class SMPNetwork(SegmentationNetwork):
    """A network of segmentation-models-pytorch with ImageNet's normalization.

    Image float (N, 3, H, W) in [0, 1] in, logits (N, 1, H, W) out; :attr:`size_multiple` is the
    encoder's output stride, mostly 32.

    Args:
        architecture: Name of the architecture, such as "unet" or "deeplabv3plus".
        encoder: Name of the encoder, such as "resnet34".
        encoder_weights: None for random weights, or a name of the encoder's weights, such as
            "imagenet", to download them.
        **options: Further arguments of the architecture, such as ``decoder_channels``; none that
            load weights or settings from elsewhere.

    Raises:
        LesionsegError: If there is no such architecture, encoder or set of weights.
        CheckpointError: If the weights cannot be downloaded.

    Example:
        >>> import torch
        >>> from lesionseg.networks import SMPNetwork
        >>> network = SMPNetwork("unet", "resnet18", decoder_channels=(64, 32, 16, 8, 4))
        >>> network(torch.rand(2, 3, 32, 64)).shape
        torch.Size([2, 1, 32, 64])
    """

    paper = "segmentation-models-pytorch"
    weights_license = "each encoder's own; see its page in the smp documentation"

    def __init__(
        self,
        architecture: str = "unet",
        encoder: str = "resnet34",
        encoder_weights: str | None = None,
        **options: Any,
    ) -> None:
        super().__init__()
        _refuse_sources(encoder, options)
        import segmentation_models_pytorch as smp  # slow to import

        self.normalize = Normalize()
        _check_name("architecture", architecture.lower(), list(smp.MODEL_ARCHITECTURES_MAPPING))
        if not encoder.startswith(("tu-", "timm-")):
            _check_name("encoder", encoder, smp.encoders.get_encoder_names())
        try:
            packaged = encoder_weights == "imagenet" and has_packaged_weights(encoder)
            self.model = smp.create_model(
                architecture,
                encoder,
                None if packaged else encoder_weights,
                in_channels=3,
                classes=1,
                **options,
            )
            if packaged:
                load_packaged_weights(self.model.encoder, encoder)
        except KeyError as error:
            raise LesionsegError(f"smp:{architecture}/{encoder}: {error.args[0]}") from error
        except OSError as error:  # the hub's download errors are of this kind
            raise CheckpointError(
                f"the weights {encoder_weights} of {encoder} could not be downloaded; "
                f"use encoder_weights=None or connect to the network"
            ) from error
        self.size_multiple = self.minimum_size = int(self.model.encoder.output_stride)
        if architecture.lower() == "pan":  # its attention halves the deepest map three times
            self.minimum_size *= 8

    def forward(self, image: Tensor) -> Tensor:
        """Return the logits of a batch of images."""
        self.check_image(image)
        logits: Tensor = self.model(self.normalize(image))
        return logits


def _refuse_sources(encoder: str, options: Mapping[str, Any]) -> None:
    """Refuse what timm would download at each construction, even without ``encoder_weights``."""
    if ":" in encoder:  # such as tu-hf-hub:user/model
        raise LesionsegError(
            f"expected encoder to be a name of timm, got {encoder!r}; it would be downloaded"
        )
    if found := sorted(_SOURCES & set(options)):
        raise LesionsegError(f"{found[0]} is not an option of a network; use encoder_weights")


def _check_name(kind: str, name: str, names: list[str]) -> None:
    if name not in names:
        close = get_close_matches(name, names, n=1)
        hint = f'did you mean "{close[0]}"?' if close else f"choose one of {', '.join(names)}"
        raise LesionsegError(f'segmentation-models-pytorch has no {kind} "{name}"; {hint}')
