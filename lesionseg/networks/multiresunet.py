"""MultiResUNet."""

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from lesionseg.blocks import Normalize
from lesionseg.networks.base import SegmentationNetwork, he_initialize

_ALPHA = 1.67
_SHARES = (0.167, 0.333, 0.5)


class MultiResUNet(SegmentationNetwork):
    """U-Net of multi-resolution residual blocks; 7,251,322 parameters at width 32.

    Image float (N, 3, H, W) in [0, 1] in, logits (N, 1, H, W) out; H and W are multiples of 16.
    ImageNet's normalization is part of the network. Training at 16 x 16 needs at least two images.

    Args:
        width: U of the first stage, doubled in each of the next four; at least 4. A block of U has
            about 1.67 U channels.
        authors_layers: Leave out what the authors' code leaves out: the biases of all convolutions
            before a batch normalization, and the scale of these normalizations. The network then
            has 7,238,228 parameters, and 7,262,750 with the running means and variances, the number
            that the authors' code prints.

    Raises:
        ValueError: If the width is less than 4.

    Source: Ibtehaz and Rahman, MultiResUNet (Neural Networks 121, 2020): the widths, the chain, the
    shortcuts and the lengths of the paths. Chosen where the text leaves it open: biases in all
    convolutions; batch normalization after each, the logit included, after the chain's maps are
    joined and after each sum; He's initialization.

    Example:
        >>> import torch
        >>> from lesionseg.networks import MultiResUNet
        >>> network = MultiResUNet(width=4).eval()
        >>> network(torch.rand(2, 3, 64, 96)).shape
        torch.Size([2, 1, 64, 96])
    """

    size_multiple = 16
    minimum_size = 16
    paper = "Ibtehaz and Rahman, MultiResUNet, Neural Networks 121, 2020"

    def __init__(self, width: int = 32, authors_layers: bool = False) -> None:
        super().__init__()
        if width < 4:
            raise ValueError(f"expected width to be at least 4, got {width}; it is split in three")
        widths = [width * 2**stage for stage in range(5)]
        scaled = not authors_layers
        self.normalize = Normalize()
        self.encoder = nn.ModuleList()
        channels = 3
        outputs = []
        for stage_width in widths:
            block = _MultiResBlock(channels, stage_width, scaled)
            self.encoder.append(block)
            channels = block.out_channels
            outputs.append(channels)
        self.paths = nn.ModuleList()
        self.ups = nn.ModuleList()
        self.decoder = nn.ModuleList()
        for stage in (3, 2, 1, 0):
            self.paths.append(_residual_path(outputs[stage], widths[stage], 4 - stage, scaled))
            self.ups.append(nn.ConvTranspose2d(channels, widths[stage], 2, 2))
            block = _MultiResBlock(2 * widths[stage], widths[stage], scaled)
            self.decoder.append(block)
            channels = block.out_channels
        self.head = _conv_norm(channels, 1, 1, scaled)
        he_initialize(self)

    def forward(self, image: Tensor) -> Tensor:
        """Return the logits of a batch of images."""
        self.check_image(image)
        first, *deeper = self.encoder
        skips = [first(self.normalize(image))]
        for block in deeper:
            skips.append(block(F.max_pool2d(skips[-1], 2)))
        features = skips.pop()
        for path, up, block in zip(self.paths, self.ups, self.decoder, strict=True):
            features = block(torch.cat([up(features), path(skips.pop())], dim=1))
        logits: Tensor = self.head(features)
        return logits


class _MultiResBlock(nn.Module):
    """Three chained 3x3 convolutions whose maps are joined, plus a 1x1 shortcut."""

    def __init__(self, in_channels: int, width: int, scaled: bool) -> None:
        super().__init__()
        first, second, third = (int(_ALPHA * width * share) for share in _SHARES)
        self.out_channels = first + second + third
        self.shortcut = _conv_norm(in_channels, self.out_channels, 1, scaled)
        self.conv1 = _conv_norm(in_channels, first, 3, scaled).append(nn.ReLU(inplace=True))
        self.conv2 = _conv_norm(first, second, 3, scaled).append(nn.ReLU(inplace=True))
        self.conv3 = _conv_norm(second, third, 3, scaled).append(nn.ReLU(inplace=True))
        self.norm1 = nn.BatchNorm2d(self.out_channels)
        self.norm2 = nn.BatchNorm2d(self.out_channels)

    def forward(self, x: Tensor) -> Tensor:
        first = self.conv1(x)
        second = self.conv2(first)
        joined = torch.cat([first, second, self.conv3(second)], dim=1)
        out: Tensor = self.norm2(F.relu(self.shortcut(x) + self.norm1(joined)))
        return out


class _PathBlock(nn.Module):
    """3x3 convolution plus a 1x1 shortcut."""

    def __init__(self, in_channels: int, out_channels: int, scaled: bool) -> None:
        super().__init__()
        self.shortcut = _conv_norm(in_channels, out_channels, 1, scaled)
        self.conv = _conv_norm(in_channels, out_channels, 3, scaled).append(nn.ReLU(inplace=True))
        self.norm = nn.BatchNorm2d(out_channels)

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = self.norm(F.relu(self.shortcut(x) + self.conv(x)))
        return out


def _residual_path(in_channels: int, out_channels: int, length: int, scaled: bool) -> nn.Sequential:
    return nn.Sequential(
        _PathBlock(in_channels, out_channels, scaled),
        *(_PathBlock(out_channels, out_channels, scaled) for _ in range(length - 1)),
    )


class _UnscaledBatchNorm2d(nn.BatchNorm2d):
    """Batch normalization that learns a shift but no scale."""

    def __init__(self, num_features: int) -> None:
        super().__init__(num_features, affine=False)
        self.shift = nn.Parameter(torch.zeros(num_features, 1, 1))

    def forward(self, x: Tensor) -> Tensor:
        """Normalize and shift."""
        return super().forward(x) + self.shift


def _conv_norm(
    in_channels: int, out_channels: int, kernel_size: int, scaled: bool
) -> nn.Sequential:
    """Convolution and normalization; with a bias and a scale, or with neither."""
    return nn.Sequential(
        nn.Conv2d(in_channels, out_channels, kernel_size, padding=kernel_size // 2, bias=scaled),
        nn.BatchNorm2d(out_channels) if scaled else _UnscaledBatchNorm2d(out_channels),
    )
