"""MobileGAN's discriminator."""

import torch
from torch import Tensor, nn

from lesionseg.blocks import ChannelAttentionModule, Normalize, PositionAttentionModule
from lesionseg.networks.base import check_pair


class MobileGANDiscriminator(nn.Module):
    """Classify patches of (image, mask) as real or generated; 685,411 parameters.

    Image float (N, 3, H, W) in [0, 1] and mask float (N, 1, H, W) in [0, 1] (a truth, or a
    generator's probabilities, not logits) in; patch logits (N, 1, H / 16, W / 16) out, positive for
    real. H and W are multiples of 16. pix2pix's normalization of the image is part of the network.

    Source: Sarker et al., MobileGAN, sections 2.1 and 2.2: four 4x4 convolutions of stride
    2 and padding 1, PAM after the second, CAM after the third. Chosen where the paper is silent:
    pix2pix's widths (64, 128, 256, 1), batch normalization in the middle two, LeakyReLU 0.2.

    Example:
        >>> import torch
        >>> from lesionseg.networks import MobileGANDiscriminator
        >>> discriminator = MobileGANDiscriminator()
        >>> discriminator(torch.rand(2, 3, 64, 96), torch.rand(2, 1, 64, 96)).shape
        torch.Size([2, 1, 4, 6])
    """

    size_multiple: int = 16
    minimum_size: int = 16

    def __init__(self) -> None:
        super().__init__()
        self.normalize = Normalize((0.5, 0.5, 0.5), (0.5, 0.5, 0.5))
        self.layers = nn.Sequential(
            nn.Conv2d(4, 64, 4, 2, padding=1),
            nn.LeakyReLU(0.2, inplace=True),
            nn.Conv2d(64, 128, 4, 2, padding=1),
            nn.BatchNorm2d(128),
            nn.LeakyReLU(0.2, inplace=True),
            PositionAttentionModule(128),
            nn.Conv2d(128, 256, 4, 2, padding=1),
            nn.BatchNorm2d(256),
            nn.LeakyReLU(0.2, inplace=True),
            ChannelAttentionModule(),
            nn.Conv2d(256, 1, 4, 2, padding=1),
        )

    def forward(self, image: Tensor, mask: Tensor) -> Tensor:
        """Return the patch logits of a batch of images and masks.

        Raises:
            ValueError: If image or mask have the wrong shape or range.
        """
        check_pair(type(self).__name__, image, mask, self.size_multiple, self.minimum_size)
        pair = torch.cat([self.normalize(image), mask.to(image.dtype)], dim=1)
        logits: Tensor = self.layers(pair)
        return logits
