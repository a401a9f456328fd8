"""ERFNet's factorized residual block."""

from torch import Tensor, nn
from torch.nn import functional as F


class NonBottleneck1D(nn.Module):
    """Residual block whose 3x3 convolutions are split into 3x1 and 1x3.

    conv3x1, ReLU, conv1x3, BN, ReLU, dilated conv3x1, ReLU, dilated conv1x3, BN, channel dropout,
    plus the input, ReLU. All convolutions have a bias: $12 C^2 + 8 C$ parameters.

    Shapes: (N, C, H, W) to (N, C, H, W), any H and W.

    Args:
        channels: Channels C of input and output.
        dropout: Probability that a channel of the residual is dropped, in [0, 1).
        dilation: Dilation of the second pair of convolutions, at least 1.

    Raises:
        ValueError: If an argument is out of range.

    Source: Romera et al., ERFNet (IEEE T-ITS 2018), section III-A; batch normalization with its
    epsilon of 1e-3. Used by MobileGAN, section 2.1.

    Example:
        >>> import torch
        >>> from lesionseg.blocks import NonBottleneck1D
        >>> block = NonBottleneck1D(16, dropout=0.3, dilation=2)
        >>> block(torch.rand(2, 16, 5, 7)).shape
        torch.Size([2, 16, 5, 7])
        >>> sum(parameter.numel() for parameter in block.parameters())  # 12 C^2 + 8 C
        3200
    """

    def __init__(self, channels: int, dropout: float = 0.0, dilation: int = 1) -> None:
        super().__init__()
        if channels < 1:
            raise ValueError(f"expected channels to be at least 1, got {channels}")
        if not 0 <= dropout < 1:
            raise ValueError(f"expected dropout to be in [0, 1), got {dropout}")
        if dilation < 1:
            raise ValueError(f"expected dilation to be at least 1, got {dilation}")
        self.conv1 = nn.Conv2d(channels, channels, (3, 1), padding=(1, 0))
        self.conv2 = nn.Conv2d(channels, channels, (1, 3), padding=(0, 1))
        self.bn1 = nn.BatchNorm2d(channels, eps=1e-3)
        self.conv3 = nn.Conv2d(
            channels, channels, (3, 1), padding=(dilation, 0), dilation=(dilation, 1)
        )
        self.conv4 = nn.Conv2d(
            channels, channels, (1, 3), padding=(0, dilation), dilation=(1, dilation)
        )
        self.bn2 = nn.BatchNorm2d(channels, eps=1e-3)
        self.dropout = nn.Dropout2d(dropout)

    def forward(self, x: Tensor) -> Tensor:
        """Apply the block."""
        out = self.conv2(F.relu(self.conv1(x)))
        out = F.relu(self.bn1(out))
        out = self.conv4(F.relu(self.conv3(out)))
        residual: Tensor = self.dropout(self.bn2(out)) + x
        return F.relu(residual)
