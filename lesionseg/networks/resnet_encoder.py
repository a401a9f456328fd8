"""torchvision's ResNet34 as an encoder."""

from pathlib import Path

import torch
from torch import Tensor, nn
from torchvision.models import ResNet34_Weights, resnet34

from lesionseg.errors import CheckpointError

_LOCAL_FILE = (
    "give the path of a local file instead: encoder_weights=<state dict of torchvision's "
    "resnet34, such as resnet34-b627a593.pth>"
)


class ResNet34Encoder(nn.Module):
    """ResNet34 without its classifier; 21,284,672 parameters.

    Normalised image (N, 3, H, W) in; five feature maps out, of 64, 64, 128, 256 and 512 channels at
    1/2, 1/4, 1/8, 1/16 and 1/32 of the size (rounded up). Parameter names are torchvision's.

    Args:
        weights: None, "imagenet" or the path of a local state dict.

    Raises:
        CheckpointError: If the weights cannot be read, downloaded or used.

    Source: He et al., Deep residual learning (CVPR 2016).
    """

    def __init__(self, weights: str | None = None) -> None:
        super().__init__()
        resnet = resnet34(weights=None)
        self.conv1 = resnet.conv1
        self.bn1 = resnet.bn1
        self.relu = resnet.relu
        self.maxpool = resnet.maxpool
        self.layer1 = resnet.layer1
        self.layer2 = resnet.layer2
        self.layer3 = resnet.layer3
        self.layer4 = resnet.layer4
        if weights is not None:
            self._load(weights)

    def forward(self, x: Tensor) -> list[Tensor]:
        """Return the feature maps, the largest first."""
        features = [self.relu(self.bn1(self.conv1(x)))]
        features.append(self.layer1(self.maxpool(features[-1])))
        for layer in (self.layer2, self.layer3, self.layer4):
            features.append(layer(features[-1]))
        return features

    def _load(self, weights: str) -> None:
        state = _download() if weights == "imagenet" else _read(weights)
        state = {key: value for key, value in state.items() if not key.startswith("fc.")}
        try:
            self.load_state_dict(state)
        except RuntimeError as error:
            raise CheckpointError(
                f"the encoder weights {weights} are not those of torchvision's ResNet34; give its "
                f"state dict ({' '.join(str(error).split())[:300]})"
            ) from error


def _download() -> dict[str, Tensor]:
    try:
        state: dict[str, Tensor] = ResNet34_Weights.IMAGENET1K_V1.get_state_dict(
            progress=True, check_hash=True
        )
    except (OSError, RuntimeError) as error:  # no network, or a broken download
        raise CheckpointError(
            f"the ImageNet weights of ResNet34 could not be downloaded ({error}); {_LOCAL_FILE}"
        ) from error
    return state


def _read(path: str) -> dict[str, Tensor]:
    if not Path(path).is_file():
        raise CheckpointError(f'there is no encoder weights file {path}; use "imagenet" or a path')
    try:
        state = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # torch raises many kinds for a broken or unsafe file
        raise CheckpointError(
            f"the encoder weights {path} cannot be read as a state dict; save it with "
            f"torch.save(model.state_dict(), ...)"
        ) from error
    if not isinstance(state, dict) or not all(isinstance(v, Tensor) for v in state.values()):
        raise CheckpointError(
            f"the encoder weights {path} are not a plain state dict of tensors; save it with "
            f"torch.save(model.state_dict(), ...)"
        )
    return state
