"""SLSDeep."""

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torchvision.models import ResNet50_Weights, resnet50

from lesionseg.blocks import ConvBlock, Normalize
from lesionseg.networks.base import SegmentationNetwork, logit_of_two
from lesionseg.networks.encoder_weights import State, load_encoder_weights

_BINS = (1, 2, 3, 6)


class SLSDeep(SegmentationNetwork):
    """Dilated ResNet50 with pyramid pooling; 46,657,348 parameters.

    Image float (N, 3, H, W) in [0, 1] in, logits (N, 1, H, W) out; any H and W of at least 8.
    ImageNet's normalization is part of the network. Training needs at least two images, because the
    coarsest pooling leaves a single value per channel.

    Args:
        encoder_weights: None for random weights, "imagenet" for the four residual stages of
            torchvision's ResNet50 (IMAGENET1K_V1; downloaded once), or the path of a local state
            dict of it. The stem of three convolutions, which torchvision's ResNet50 does not have,
            stays random.

    Raises:
        CheckpointError: If the encoder weights cannot be read, downloaded or used.

    Source: Sarker et al., SLSDeep (MICCAI 2018), section 2. It ends in the scores of background
    and lesion, whose difference is the logit (a softmax over two classes). Chosen where the paper
    is silent or unclear: the scores are normalized, as the number of parameters implies, but have
    no ReLU, which would leave pixels with two negative scores at 0.5 without a gradient; ReLU and
    dropout of 0.5 come before the upsampling to the scores instead. Loss:
    :func:`~lesionseg.losses.nll_epe_loss`.

    Example:
        >>> import torch
        >>> from lesionseg.networks import SLSDeep
        >>> with torch.device("meta"):  # shapes only
        ...     network = SLSDeep()
        ...     logits = network(torch.empty(2, 3, 192, 256))
        >>> logits.shape
        torch.Size([2, 1, 192, 256])
        >>> f"{sum(parameter.numel() for parameter in network.parameters()):,}"
        '46,657,348'
    """

    minimum_size = 8
    default_size = (384, 384)
    paper = "Sarker et al., SLSDeep, MICCAI 2018"
    weights_license = "torchvision ResNet50, BSD-3-Clause; trained on ImageNet (research only)"

    def __init__(self, encoder_weights: str | None = None) -> None:
        super().__init__()
        self.normalize = Normalize()
        self.encoder = _DilatedResNet50(encoder_weights)
        self.pyramid = nn.ModuleList(
            nn.Sequential(nn.AdaptiveAvgPool2d(bins), ConvBlock(2048, 512, kernel_size=1))
            for bins in _BINS
        )
        self.fuse = nn.Sequential(ConvBlock(2048 + 512 * len(_BINS), 512), nn.Dropout(0.5))
        self.head = nn.Sequential(nn.Conv2d(512, 2, 3, padding=1, bias=False), nn.BatchNorm2d(2))

    def forward(self, image: Tensor) -> Tensor:
        """Return the logits of a batch of images."""
        self.check_image(image)
        features = self.encoder(self.normalize(image))
        context = [_resize(branch(features), features) for branch in self.pyramid]
        fused = self.fuse(torch.cat([features, *context], dim=1))
        return logit_of_two(self.head(_resize(fused, image)))


class _DilatedResNet50(nn.Module):
    """ResNet50 with a stem of three convolutions; 2048 channels at 1/8 of the size (rounded up).

    Dilations 2 and 4 replace the strides of the last two stages.
    """

    def __init__(self, weights: str | None) -> None:
        super().__init__()
        resnet = resnet50(weights=None, replace_stride_with_dilation=[False, True, True])
        self.stem = nn.Sequential(
            ConvBlock(3, 64, stride=2), ConvBlock(64, 64), ConvBlock(64, 64), resnet.maxpool
        )
        self.layer1 = resnet.layer1
        self.layer2 = resnet.layer2
        self.layer3 = resnet.layer3
        self.layer4 = resnet.layer4
        if weights is not None:
            load_encoder_weights(self, weights, ResNet50_Weights.IMAGENET1K_V1, self._select)

    def forward(self, x: Tensor) -> Tensor:
        for part in (self.stem, self.layer1, self.layer2, self.layer3, self.layer4):
            x = part(x)
        return x

    def _select(self, state: State) -> State:
        own = {key: value for key, value in self.state_dict().items() if key.startswith("stem.")}
        return own | {key: value for key, value in state.items() if key.startswith("layer")}


def _resize(x: Tensor, like: Tensor) -> Tensor:
    return F.interpolate(x, size=like.shape[-2:], mode="bilinear", align_corners=False)
