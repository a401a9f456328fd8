"""SegAN's segmentor."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from lesionseg.blocks import GlobalConvolution, Normalize
from lesionseg.networks.base import SegmentationNetwork


class SegANSegmentor(SegmentationNetwork):
    """U-shaped network of residual bottlenecks and global convolutions; 156,265,344 parameters.

    Image float (N, 3, H, W) in [0, 1] in, logits (N, 1, H, W) out; any H and W of at least
    32. ImageNet's normalization is part of the network. Training below 65 x 65 needs at least two
    images, because batch normalization cannot train on a single value per channel.

    The encoder halves the image seven times; each level of the decoder concatenates the skip,
    upsamples bilinearly to the next level's size and convolves, with global convolutions of k = 7,
    7, 9, 9, 11 in the last five.

    Args:
        width: Channels of the first level, 64 in the original; all others scale with it.

    Raises:
        ValueError: If ``width`` is less than 1.

    Source: Xue et al., SegAN (Neuroinformatics 2018), section 2.2; layer shapes of its authors'
    version for skin lesions. Chosen: the batch normalizations in the residual blocks, which that
    version builds but does not run, are used; an odd side is padded by a pixel before the only
    convolution of even kernel; weights have torch's initialization.

    Example:
        >>> import torch
        >>> from lesionseg.networks import SegANSegmentor
        >>> network = SegANSegmentor(width=4).eval()
        >>> network(torch.rand(2, 3, 64, 96)).shape
        torch.Size([2, 1, 64, 96])
    """

    minimum_size = 32
    default_size = (128, 128)
    paper = "Xue et al., SegAN, Neuroinformatics 16, 2018"

    def __init__(self, width: int = 64) -> None:
        super().__init__()
        if width < 1:
            raise ValueError(f"expected width to be at least 1, got {width}")
        w = width
        self.normalize = Normalize()
        self.encoder = nn.ModuleList(
            [
                nn.Sequential(
                    nn.Conv2d(3, w, 7, stride=2, padding=3, bias=False),
                    nn.LeakyReLU(0.2, inplace=True),
                    _bottleneck(w, leaky=True),
                ),
                *(
                    nn.Sequential(
                        *_unit(nn.Conv2d(i, o, 5, stride=2, padding=2, bias=False), leaky=True),
                        _bottleneck(o, leaky=True),
                    )
                    for i, o in ((w, 2 * w), (2 * w, 4 * w), (4 * w, 8 * w), (8 * w, 8 * w))
                ),
                nn.Sequential(
                    _PadToEven(),
                    *_unit(
                        nn.Conv2d(8 * w, 16 * w, 4, stride=2, padding=1, bias=False), leaky=True
                    ),
                    _pointwise(16 * w, leaky=True),
                ),
                nn.Sequential(
                    *_unit(
                        nn.Conv2d(16 * w, 32 * w, 3, stride=2, padding=1, bias=False), leaky=True
                    )
                ),
            ]
        )
        self.bridge = nn.Sequential(
            *_unit(nn.Conv2d(32 * w, 8 * w, 1, bias=False), leaky=True),
            *_unit(nn.Conv2d(8 * w, 32 * w, 1, bias=False)),
        )
        self.decoder = nn.ModuleList(
            [
                nn.Sequential(
                    *_unit(nn.Conv2d(64 * w, 16 * w, 3, padding=1, bias=False)),
                    _pointwise(16 * w),
                ),
                nn.Sequential(
                    *_unit(nn.Conv2d(32 * w, 8 * w, 3, padding=1, bias=False)), _bottleneck(8 * w)
                ),
                *(
                    nn.Sequential(*_unit(GlobalConvolution(i * w, o * w, k)), _bottleneck(o * w))
                    for i, o, k in ((16, 8, 7), (16, 4, 7), (8, 2, 9), (4, 1, 9), (2, 1, 11))
                ),
            ]
        )
        self.head = nn.Conv2d(w, 1, 5, padding=2, bias=False)

    def forward(self, image: Tensor) -> Tensor:
        """Return the logits of a batch of images."""
        self.check_image(image)
        x = self.normalize(image)
        skips, sizes = [], []
        for level in self.encoder:
            sizes.append(x.shape[-2:])
            x = level(x)
            skips.append(x)
        x = self.bridge(x)
        for level, skip, size in zip(self.decoder, skips[::-1], sizes[::-1], strict=True):
            x = F.interpolate(
                torch.cat([skip, x], dim=1), size=size, mode="bilinear", align_corners=False
            )
            x = level(x)
        logits: Tensor = self.head(x)
        return logits


def _unit(convolution: nn.Module, leaky: bool = False) -> nn.Sequential:
    """Append batch normalization and a (leaky) ReLU to a convolution."""
    widths = [part.out_channels for part in convolution.modules() if isinstance(part, nn.Conv2d)]
    activation = nn.LeakyReLU(0.2, inplace=True) if leaky else nn.ReLU(inplace=True)
    return nn.Sequential(convolution, nn.BatchNorm2d(widths[-1]), activation)


class _Residual(nn.Module):
    """Layers plus their input."""

    def __init__(self, *layers: nn.Module) -> None:
        super().__init__()
        self.layers = nn.Sequential(*layers)

    def forward(self, x: Tensor) -> Tensor:
        total: Tensor = x + self.layers(x)
        return total


def _bottleneck(channels: int, leaky: bool = False) -> nn.Module:
    """Residual block of 1x1, 3x3 and 1x1 convolutions, twice as wide in the middle."""
    return _Residual(
        *_unit(nn.Conv2d(channels, 2 * channels, 1, bias=False), leaky),
        *_unit(nn.Conv2d(2 * channels, 2 * channels, 3, padding=1, bias=False), leaky),
        *_unit(nn.Conv2d(2 * channels, channels, 1, bias=False), leaky),
    )


def _pointwise(channels: int, leaky: bool = False) -> nn.Module:
    """Residual block of a 1x1 convolution."""
    return _Residual(*_unit(nn.Conv2d(channels, channels, 1, bias=False), leaky))


class _PadToEven(nn.Module):
    """Add a zero row or column where height or width is odd: a 4x4 kernel needs two pixels."""

    def forward(self, x: Tensor) -> Tensor:
        height, width = x.shape[-2:]
        return F.pad(x, (0, width % 2, 0, height % 2)) if height % 2 or width % 2 else x
