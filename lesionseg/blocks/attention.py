"""Position and channel attention of DANet, as MobileGAN uses them."""

from contextlib import nullcontext
from typing import Literal, get_args

import torch
from torch import Tensor, nn
from torch.nn import functional as F

KeyPooling = Literal["average", "max"]

# The fused CUDA kernels want head sizes that are multiples of this in every precision.
_ALIGNMENT = 8
# exp(-60) is 1e-26. Far smaller weights and their gradients are denormal numbers, at which a CPU is
# slow; these become exp(-60).
_NEGLIGIBLE = -60.0


class PositionAttentionModule(nn.Module):
    r"""Every pixel attends to every pixel.

    $$
    y = \gamma \, \mathrm{softmax}(q k^T) \, v + x
    $$

    q and k are 1x1 convolutions to C / reduction channels and v one to C, all with bias; the
    energies are not scaled; gamma is learned and starts at 0, so a new module is the identity.

    Shapes: (N, C, H, W) to (N, C, H, W), any H and W. Torch's fused attention kernel needs memory
    proportional to H * W and never builds the HW x HW map (on CPU in every floating precision, on
    CUDA in all but float64, for which torch has no fused kernel).

    With ``key_stride=s`` keys and values are pooled over s x s squares, so that every pixel attends
    to every square, at $1 / s^2$ of the cost. Squares at the lower and right edge that stick out of
    the map pool the pixels inside it. This adds no parameters. Train with it from the start:
    attention trained without pooling is too sharp for it.

    Args:
        channels: Channels C of input and output.
        reduction: Factor by which q and k have fewer channels, from 1 to ``channels``.
        key_stride: Side of the squares in pixels; 1 is the paper's attention.
        key_pooling: ``"average"`` or ``"max"``; has no effect with ``key_stride=1``.

    Raises:
        ValueError: If the reduction leaves no channel for q and k, or another argument is out of
            range.

    Source: Fu et al., Dual Attention Network (arXiv 1809.02983), section 3.2; MobileGAN section
    2.1. Pooled keys are neither paper's; max pooling is as in Wang et al., Non-local Neural
    Networks (CVPR 2018), section 3.3.

    Example:
        >>> import torch
        >>> from lesionseg.blocks import PositionAttentionModule
        >>> attention = PositionAttentionModule(channels=16, key_stride=2)
        >>> features = torch.rand(2, 16, 5, 7)
        >>> torch.equal(attention(features), features)  # gamma is 0 in a new module
        True
        >>> with torch.no_grad():
        ...     _ = attention.gamma.fill_(0.1)
        >>> attention(features).shape
        torch.Size([2, 16, 5, 7])
    """

    def __init__(
        self,
        channels: int,
        reduction: int = 8,
        key_stride: int = 1,
        key_pooling: KeyPooling = "average",
    ) -> None:
        super().__init__()
        if reduction < 1 or channels < reduction:
            raise ValueError(
                f"expected reduction to be from 1 to the number of channels ({channels}), "
                f"got {reduction}"
            )
        if key_stride < 1:
            raise ValueError(f"expected key_stride to be at least 1, got {key_stride}")
        if key_pooling not in get_args(KeyPooling):
            raise ValueError(f'expected key_pooling to be "average" or "max", got {key_pooling!r}')
        self.key_stride = key_stride
        self.key_pooling = key_pooling
        self.query = nn.Conv2d(channels, channels // reduction, 1)
        self.key = nn.Conv2d(channels, channels // reduction, 1)
        self.value = nn.Conv2d(channels, channels, 1)
        self.gamma = nn.Parameter(torch.zeros(()))

    def forward(self, x: Tensor) -> Tensor:
        """Apply the attention."""
        attended = self.attend(self.query(x), *self._keys_and_values(x))
        return self.gamma * attended + x

    def _keys_and_values(self, x: Tensor) -> tuple[Tensor, Tensor]:
        stride = self.key_stride
        if stride == 1:
            return self.key(x), self.value(x)
        # Squares stick out of the map unless they are known to fit. XNNPACK only pools those that
        # fit. Sizes that an export leaves open are no int, except in Dynamo.
        over = torch.compiler.is_dynamo_compiling() or not all(
            isinstance(side, int) and side % stride == 0 for side in x.shape[2:]
        )
        if self.key_pooling == "average":
            # The average commutes with a 1x1 convolution, which is cheaper on the smaller map.
            pooled = F.avg_pool2d(x, stride, ceil_mode=over, count_include_pad=False)
            return self.key(pooled), self.value(pooled)
        return (
            F.max_pool2d(self.key(x), stride, ceil_mode=over),
            F.max_pool2d(self.value(x), stride, ceil_mode=over),
        )

    @staticmethod
    def attend(query: Tensor, key: Tensor, value: Tensor) -> Tensor:
        """Average the values with softmax weights over all keys; export replaces it.

        Args:
            query: (N, D, H, W).
            key: (N, D, h, w).
            value: (N, C, h, w), C at least D.

        Returns:
            (N, C, H, W).
        """
        count, channels = value.shape[:2]
        width = -(-channels // _ALIGNMENT) * _ALIGNMENT
        # The fused kernels take q, k and v of one width only, and contiguous ones: unequal or
        # transposed tensors fall back silently to the path that builds the whole map. Zeros added
        # to q and k leave their products unchanged.
        attended = F.scaled_dot_product_attention(
            _tokens(query, width), _tokens(key, width), _tokens(value, width), scale=1.0
        )
        maps = attended.squeeze(1)[..., :channels].transpose(1, 2)
        return maps.reshape(count, channels, *query.shape[2:])


def _tokens(maps: Tensor, width: int) -> Tensor:
    """Turn (N, C, H, W) into contiguous (N, 1, HW, width), zero-padded along the last axis."""
    tokens = maps.flatten(2).transpose(1, 2).unsqueeze(1)
    return F.pad(tokens, (0, width - tokens.shape[-1])).contiguous()


class ChannelAttentionModule(nn.Module):
    r"""Every channel attends to every channel.

    $$
    y = \gamma \, \mathrm{softmax}(\mathrm{rowmax}(E) - E) \, X + x
    $$

    X is the input as a C x HW matrix and $E = X X^T$. There are no convolutions; gamma is learned
    and starts at 0, so a new module is the identity.

    Shapes: (N, C, H, W) to (N, C, H, W), any C, H and W. The energies grow with H * W (2e4 at
    128 x 128), so they are computed in float32 or float64 even under autocast. Chosen: weights are
    at least exp(-60) times their row's largest, far below what float64 resolves in a sum.

    Source: Fu et al., Dual Attention Network (arXiv 1809.02983), section 3.3 and its authors'
    rowmax(E) - E, which lets a channel attend to those unlike it; MobileGAN section 2.1.

    Example:
        >>> import torch
        >>> from lesionseg.blocks import ChannelAttentionModule
        >>> attention = ChannelAttentionModule()
        >>> sum(parameter.numel() for parameter in attention.parameters())
        1
        >>> attention(torch.rand(2, 16, 5, 7)).shape
        torch.Size([2, 16, 5, 7])
    """

    def __init__(self) -> None:
        super().__init__()
        self.gamma = nn.Parameter(torch.zeros(()))

    def forward(self, x: Tensor) -> Tensor:
        """Apply the attention."""
        device = x.device.type
        # Entered only where needed, so that an exported graph holds plain operations.
        precise = (
            torch.autocast(device, enabled=False)
            if torch.is_autocast_enabled(device)
            else nullcontext()
        )
        with precise:
            # torch.bmm instead of @, which ExecuTorch would lower to copies as well.
            flat = x.flatten(2)
            if flat.dtype in (torch.float16, torch.bfloat16):
                flat = flat.float()
            energy = torch.bmm(flat, flat.transpose(1, 2))
            # Adding a constant to a row does not change its softmax. Shifted by the least energy,
            # the largest is 0, and one constant bounds the weights that no sum notices.
            energy = energy.detach().amin(dim=-1, keepdim=True) - energy
            energy = energy.clamp(min=_NEGLIGIBLE)
            # gamma A X + X is (gamma A + I) X: two passes over the maps fewer.
            mixing = self.gamma * energy.softmax(dim=-1)
            mixing = mixing + torch.eye(x.shape[1], dtype=mixing.dtype, device=x.device)
            return torch.bmm(mixing, flat).reshape(x.shape).to(x.dtype)
