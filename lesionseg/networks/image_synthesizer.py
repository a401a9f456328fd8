"""pix2pix's generator, which synthesizes a lesion image from a mask."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from lesionseg._moved import renamed


class ImageSynthesizer(nn.Module):
    """U-Net from a mask to an image; 29,245,443 parameters by default.

    Mask (N, 1, H, W), any dtype, in [0, 1] in; image float32 (N, 3, H, W) in [0, 1] out. H and W
    are multiples of 2 to the power of ``depth``: 64 x 64 and 192 x 256 work with the default.

    The noise is the dropout of the decoder, so images of the same mask differ in training and are
    equal in eval mode.

    Args:
        width: Channels of the first level, doubled at each level up to ``8 * width``.
        depth: Number of halvings, at least 2; 8 in the original, whose images are 256 x 256.
        dropout: Probability of the dropout in the (up to three) deepest levels of the decoder, in
            [0, 1).

    Raises:
        ValueError: If an argument is out of range.

    Source: Isola et al., pix2pix (CVPR 2017), appendix 6.1: 4x4 convolutions of stride 2, LeakyReLU
    0.2 down and ReLU up, skips concatenated, no normalization in the first and the innermost
    convolution. Chosen: instance normalization (to which the original's batches of 1 amount), which
    works alike in training and eval mode; a sigmoid instead of tanh, as images are in [0, 1].

    Example:
        >>> import torch
        >>> from lesionseg.networks import ImageSynthesizer
        >>> synthesizer = ImageSynthesizer(width=4, depth=3)
        >>> synthesizer(torch.ones(2, 1, 32, 48)).shape
        torch.Size([2, 3, 32, 48])
    """

    def __init__(self, width: int = 64, depth: int = 6, dropout: float = 0.5) -> None:
        super().__init__()
        if width < 1:
            raise ValueError(f"expected width to be at least 1, got {width}")
        if depth < 2:
            raise ValueError(f"expected depth to be at least 2, got {depth}")
        if not 0 <= dropout < 1:
            raise ValueError(f"expected dropout to be in [0, 1), got {dropout}")
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
            ValueError: If the masks are not (N, 1, H, W), or H or W is not a multiple of
                ``2 ** depth``.
        """
        if mask.ndim != 4 or mask.shape[1] != 1:
            raise ValueError(
                f"expected masks of ImageSynthesizer to be (N, 1, H, W), got {tuple(mask.shape)}"
            )
        height, width = mask.shape[-2:]
        multiple = self.size_multiple
        if not height or not width or height % multiple or width % multiple:
            raise ValueError(
                "expected masks of ImageSynthesizer to have a height and width that are multiples "
                f"of {multiple}, got {height} x {width}; resize the masks or use a smaller depth"
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
