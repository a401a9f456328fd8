"""Global convolution: a large kernel as two pairs of one-dimensional kernels."""

from torch import Tensor, nn


class GlobalConvolution(nn.Module):
    """A k x k field of view from k x 1 then 1 x k, plus 1 x k then k x 1, without activation.

    Shapes: (N, in, H, W) to (N, out, H, W), any H and W.

    Args:
        in_channels: Channels of the input.
        out_channels: Channels of the output, also between the two of a pair.
        kernel_size: Odd side k of the field of view.

    Raises:
        ValueError: If the kernel is not odd.

    Source: Peng et al., Large Kernel Matters (CVPR 2017), section 3.2; used by SegAN.

    Example:
        >>> import torch
        >>> from lesionseg.blocks import GlobalConvolution
        >>> GlobalConvolution(8, 4, kernel_size=7)(torch.rand(2, 8, 5, 9)).shape
        torch.Size([2, 4, 5, 9])
    """

    def __init__(self, in_channels: int, out_channels: int, kernel_size: int = 7) -> None:
        super().__init__()
        if kernel_size % 2 == 0:
            raise ValueError(f"expected kernel_size to be odd, got {kernel_size}")
        tall, wide = (kernel_size, 1), (1, kernel_size)
        self.left = nn.Sequential(
            nn.Conv2d(in_channels, out_channels, tall, padding="same"),
            nn.Conv2d(out_channels, out_channels, wide, padding="same"),
        )
        self.right = nn.Sequential(
            nn.Conv2d(in_channels, out_channels, wide, padding="same"),
            nn.Conv2d(out_channels, out_channels, tall, padding="same"),
        )

    def forward(self, x: Tensor) -> Tensor:
        """Apply both pairs and add them."""
        total: Tensor = self.left(x) + self.right(x)
        return total
