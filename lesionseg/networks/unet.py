"""U-Net."""

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from lesionseg.blocks import ConvBlock, Normalize
from lesionseg.networks.base import SegmentationNetwork, he_initialize


class UNet(SegmentationNetwork):
    """U-Net with batch normalization; 31,043,521 parameters at width 64.

    Image float (N, 3, H, W) in [0, 1] in, logits (N, 1, H, W) out; H and W are multiples of 16.
    ImageNet's normalization is part of the network. Training at 16 x 16 needs at least two images.

    Args:
        width: Channels of the first stage, doubled in each of the next four. 32 has 7,765,985
            parameters; 40 has 12,131,161, the nearest to the 12.3 M of MobileGAN's table.

    Raises:
        ValueError: If the width is less than 1.

    Source: Ronneberger et al., U-Net (MICCAI 2015), section 2. Chosen otherwise: the convolutions
    are padded, so that nothing is cropped, and followed by batch normalization; there is no
    dropout; a logit replaces two classes. The initialization is the paper's (section 3, He).

    Example:
        >>> import torch
        >>> from lesionseg.networks import UNet
        >>> network = UNet(width=8).eval()
        >>> network(torch.rand(2, 3, 64, 96)).shape
        torch.Size([2, 1, 64, 96])
    """

    size_multiple = 16
    minimum_size = 16
    paper = "Ronneberger et al., U-Net, MICCAI 2015"

    def __init__(self, width: int = 64) -> None:
        super().__init__()
        if width < 1:
            raise ValueError(f"expected width to be at least 1, got {width}")
        widths = [width * 2**stage for stage in range(5)]
        self.normalize = Normalize()
        self.encoder = nn.ModuleList(
            _double_conv(before, after) for before, after in zip([3, *widths], widths, strict=False)
        )
        self.ups = nn.ModuleList(
            nn.ConvTranspose2d(2 * after, after, 2, 2) for after in reversed(widths[:-1])
        )
        self.decoder = nn.ModuleList(
            _double_conv(2 * after, after) for after in reversed(widths[:-1])
        )
        self.head = nn.Conv2d(width, 1, 1)
        he_initialize(self)

    def forward(self, image: Tensor) -> Tensor:
        """Return the logits of a batch of images."""
        self.check_image(image)
        first, *deeper = self.encoder
        skips = [first(self.normalize(image))]
        for stage in deeper:
            skips.append(stage(F.max_pool2d(skips[-1], 2)))
        features = skips.pop()
        for up, stage in zip(self.ups, self.decoder, strict=True):
            features = stage(torch.cat([skips.pop(), up(features)], dim=1))
        logits: Tensor = self.head(features)
        return logits


def _double_conv(in_channels: int, out_channels: int) -> nn.Sequential:
    return nn.Sequential(
        ConvBlock(in_channels, out_channels, bias=True),
        ConvBlock(out_channels, out_channels, bias=True),
    )
