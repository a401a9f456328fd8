"""pix2pix's generator, which paints a lesion image under a mask."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from lesionseg._moved import renamed


class ImageSynthesizer(nn.Module):
    """U-Net from a mask to an image; 29,245,443 parameters by default.

    Mask (N, 1, H, W), any type, in [0, 1] in; image float32 (N, 3, H, W) in [0, 1] out. H and W are
    multiples of 2 to the power of ``depth``: 64 x 64 and 192 x 256 work with the default.

    Noise is the dropout of the decoder, so images of one mask differ while training and are the
    same in eval mode.

    Args:
        width: Maps of the first level; they double up to eight times as many.
        depth: Number of halvings, from 2 up; 8 in the original, whose images are 256 x 256.
        dropout: Probability of the dropout in the (up to three) deepest levels of the decoder.

    Raises:
        ValueError: If an argument is out of range.

    Source: Isola et al., pix2pix (CVPR 2017), appendix 6.1: 4x4 convolutions of stride 2, LeakyReLU
    0.2 down and ReLU up, skips concatenated, no normalization in the first and the innermost
    convolution. Chosen: instance normalization (that is what the original's batches of 1 amount
    to), which knows no difference between training and use; a sigmoid instead of tanh, as images
    are in [0, 1].
    """

    def __init__(self, width: int = 64, depth: int = 6, dropout: float = 0.5) -> None:
        super().__init__()
        if width < 1:
            raise ValueError(f"width must be at least 1, got {width}")
        if depth < 2:
            raise ValueError(f"depth must be at least 2, got {depth}")
        if not 0 <= dropout < 1:
            raise ValueError(f"dropout must be in [0, 1), got {dropout}")
        self.size_multiple = 2**depth
        widths = [width * min(2**level, 8) for level in range(depth)]
        self.down = nn.ModuleList([nn.Conv2d(1, widths[0], 4, 2, padding=1)])
        self.up = nn.ModuleList()
        for level in range(1, depth):
            layers = [nn.LeakyReLU(0.2), nn.Conv2d(widths[level - 1], widths[level], 4, 2, 1)]
            if level < depth - 1:
                layers.append(nn.InstanceNorm2d(widths[level], affine=True))
            self.down.append(nn.Sequential(*layers))
        for level in range(depth - 1, 0, -1):
            inside = widths[level] * (1 if level == depth - 1 else 2)
            layers = [
                nn.ReLU(),
                nn.ConvTranspose2d(inside, widths[level - 1], 4, 2, 1),
                nn.InstanceNorm2d(widths[level - 1], affine=True),
            ]
            if level >= depth - 3:
                layers.append(nn.Dropout(dropout))
            self.up.append(nn.Sequential(*layers))
        self.head = nn.Sequential(nn.ReLU(), nn.ConvTranspose2d(2 * widths[0], 3, 4, 2, 1))

    def forward(self, mask: Tensor) -> Tensor:
        """Return an image for each mask of a batch.

        Raises:
            ValueError: If the masks are not (N, 1, H, W) or not multiples of the size needed.
        """
        if mask.ndim != 4 or mask.shape[1] != 1:
            raise ValueError(f"ImageSynthesizer takes masks (N, 1, H, W), got {tuple(mask.shape)}")
        height, width = mask.shape[-2:]
        multiple = self.size_multiple
        if not height or not width or height % multiple or width % multiple:
            raise ValueError(
                f"ImageSynthesizer needs a height and width that are multiples of {multiple}, "
                f"got {height} x {width}; resize the masks, or give a smaller depth"
            )
        x = 2 * mask.float() - 1
        skips = []
        for layer in self.down:
            x = layer(x)
            skips.append(x)
        x = skips.pop()
        for layer in self.up:
            x = torch.cat([layer(x), skips.pop()], dim=1)
        return torch.sigmoid(self.head(x).float())


__getattr__ = renamed(__name__, {"ImageSynthesiser": "ImageSynthesizer"})
