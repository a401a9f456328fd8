"""Convolution blocks that the networks share."""

from torch import Tensor, nn
from torch.nn import functional as F


class ConvBlock(nn.Sequential):
    """Convolution, batch normalization, ReLU.

    Shapes: (N, in, H, W) to (N, out, H / stride, W / stride), rounded up. The padding keeps the
    size at stride 1.

    Args:
        in_channels: Channels of the input.
        out_channels: Channels of the output.
        kernel_size: Odd side of the kernel.
        stride: Stride of the convolution.
        bias: Whether the convolution has a bias (redundant before the normalization, but the
            MobileGAN paper's parameter count includes it).

    Raises:
        ValueError: If the kernel is not odd.

    Example:
        >>> import torch
        >>> from lesionseg.blocks import ConvBlock
        >>> block = ConvBlock(3, 8, stride=2)
        >>> block(torch.rand(2, 3, 32, 48)).shape
        torch.Size([2, 8, 16, 24])
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: int = 3,
        stride: int = 1,
        bias: bool = False,
    ) -> None:
        if kernel_size % 2 == 0:
            raise ValueError(f"expected kernel_size to be odd, got {kernel_size}")
        super().__init__(
            nn.Conv2d(
                in_channels, out_channels, kernel_size, stride, padding=kernel_size // 2, bias=bias
            ),
            nn.BatchNorm2d(out_channels),
            nn.ReLU(inplace=True),
        )


class DeconvBlock(nn.Sequential):
    """3x3 transposed convolution of stride 2, batch normalization, ReLU; doubles height and width.

    Shapes: (N, in, H, W) to (N, out, 2H, 2W).

    Args:
        in_channels: Channels of the input.
        out_channels: Channels of the output.

    Example:
        >>> import torch
        >>> from lesionseg.blocks import DeconvBlock
        >>> DeconvBlock(8, 4)(torch.rand(2, 8, 5, 7)).shape
        torch.Size([2, 4, 10, 14])
    """

    def __init__(self, in_channels: int, out_channels: int) -> None:
        super().__init__(
            nn.ConvTranspose2d(in_channels, out_channels, 3, 2, padding=1, output_padding=1),
            nn.BatchNorm2d(out_channels),
            nn.ReLU(inplace=True),
        )


class ResidualBlock(nn.Module):
    """Basic residual block: two 3x3 convolutions with batch normalization, plus the input, ReLU.

    Shapes: (N, C, H, W) to (N, C, H, W).

    Args:
        channels: Channels C of input and output.

    Example:
        >>> import torch
        >>> from lesionseg.blocks import ResidualBlock
        >>> ResidualBlock(8)(torch.rand(2, 8, 5, 7)).shape
        torch.Size([2, 8, 5, 7])
    """

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            ConvBlock(channels, channels),
            nn.Conv2d(channels, channels, 3, padding=1, bias=False),
            nn.BatchNorm2d(channels),
        )

    def forward(self, x: Tensor) -> Tensor:
        """Apply the block."""
        return F.relu(self.layers(x) + x)
