"""SegNet."""

from itertools import pairwise

from torch import Tensor, nn
from torch.nn import functional as F

from lesionseg.blocks import ConvBlock, Normalize
from lesionseg.networks.base import SegmentationNetwork, he_initialize
from lesionseg.networks.torchvision_encoders import VGG16Stages

# A stage per line, the deepest first: the encoder's channels, mirrored.
_DECODER = (
    (512, 512, 512, 512),
    (512, 512, 512, 256),
    (256, 256, 256, 128),
    (128, 128, 64),
    (64, 64),
)


class SegNet(SegmentationNetwork):
    """VGG16 and its mirror, which unpools with the encoder's indices; 29,443,585 parameters.

    Image float (N, 3, H, W) in [0, 1] in, logits (N, 1, H, W) out; H and W are multiples of 32.
    ImageNet's normalization is part of the network. Training at 32 x 32 needs at least two images.

    Args:
        encoder_weights: None for random weights, "imagenet" for torchvision's VGG16_BN
            (IMAGENET1K_V1; downloaded once), or the path of a local state dict of it.

    Raises:
        CheckpointError: If the encoder weights cannot be read, downloaded or used.

    Source: Badrinarayanan et al., SegNet (PAMI 39(12), 2017), section 3. Weights that are not
    pretrained have He's initialization, as in the paper. Chosen otherwise: a logit replaces the
    softmax. MobileGAN's table gives 11.5 M parameters, a reduction that is not published.

    Example:
        >>> import torch
        >>> from lesionseg.networks import SegNet
        >>> with torch.device("meta"):  # shapes only
        ...     network = SegNet()
        ...     logits = network(torch.empty(2, 3, 192, 256))
        >>> logits.shape
        torch.Size([2, 1, 192, 256])
        >>> f"{sum(parameter.numel() for parameter in network.parameters()):,}"
        '29,443,585'
    """

    size_multiple = 32
    minimum_size = 32
    paper = "Badrinarayanan et al., SegNet, PAMI 39(12), 2017"
    weights_license = "torchvision VGG16_BN, BSD-3-Clause; trained on ImageNet (research only)"

    def __init__(self, encoder_weights: str | None = None) -> None:
        super().__init__()
        self.normalize = Normalize()
        self.encoder = VGG16Stages(batch_norm=True, weights=encoder_weights)
        self.decoder = nn.ModuleList(
            nn.Sequential(
                *(ConvBlock(before, after, bias=True) for before, after in pairwise(widths))
            )
            for widths in _DECODER
        )
        self.head = nn.Conv2d(64, 1, 3, padding=1)
        he_initialize(self.decoder)
        he_initialize(self.head)

    def forward(self, image: Tensor) -> Tensor:
        """Return the logits of a batch of images."""
        self.check_image(image)
        features = self.normalize(image)
        indices = []
        for stage in self.encoder:
            features, index = F.max_pool2d(stage(features), 2, return_indices=True)
            indices.append(index)
        for stage in self.decoder:
            features = stage(F.max_unpool2d(features, indices.pop(), [2, 2]))
        logits: Tensor = self.head(features)
        return logits
