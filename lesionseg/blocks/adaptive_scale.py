"""ASNet's adaptive scale module and the scale-aware module inside it."""

from collections.abc import Sequence
from typing import Literal

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from lesionseg.blocks.conv import ConvBlock


class ScaleAwareModule(nn.Module):
    r"""Fuse two feature maps with a softmax over the two at every pixel.

    $$
    \frac{e^A}{e^A + e^B} \, a + \frac{e^B}{e^A + e^B} \, b
    $$

    A and B are the logits of every pixel, which convolutions compute from both maps.

    Shapes: two maps (N, C, H, W) in, their fusion (N, C, H, W) out; any H and W.

    Args:
        channels: Channels C of each map, at least 2.

    Raises:
        ValueError: If there are fewer than 2 channels.

    Source: ASNet section 2.3, equations 1 and 2. The paper says "a series of convolutions"; chosen
    here, as in CPFNet of the same group: concatenation, 1x1 to C, ReLU, 3x3 to C / 2, ReLU, 3x3
    to 2, all with bias.

    Example:
        >>> import torch
        >>> from lesionseg.blocks import ScaleAwareModule
        >>> fuse = ScaleAwareModule(channels=8)
        >>> coarse, fine = torch.rand(2, 8, 6, 10), torch.rand(2, 8, 6, 10)
        >>> fuse(coarse, fine).shape
        torch.Size([2, 8, 6, 10])
    """

    def __init__(self, channels: int) -> None:
        super().__init__()
        if channels < 2:
            raise ValueError(f"expected channels to be at least 2, got {channels}")
        self.reduce = nn.Conv2d(2 * channels, channels, 1)
        self.hidden = nn.Conv2d(channels, channels // 2, 3, padding=1)
        self.logits = nn.Conv2d(channels // 2, 2, 3, padding=1)

    def forward(self, a: Tensor, b: Tensor) -> Tensor:
        """Fuse the maps of two scales."""
        features = F.relu(self.reduce(torch.cat([a, b], dim=1)))
        features = F.relu(self.hidden(features))
        weights: Tensor = self.logits(features).softmax(dim=1)
        return weights[:, :1] * a + weights[:, 1:] * b


class AdaptiveScaleModule(nn.Module):
    r"""Apply several receptive fields and let every pixel choose among them.

    One 3x3 convolution, its weights shared by all branches, runs at each dilation; each branch has
    its own batch normalization. Cascaded scale-aware modules fuse the branches, a residual
    connection with a learned beta adds the input, and a 1x1 convolution ends the module.

    Shapes: (N, C, H, W) to (N, C, H, W), any H and W.

    Args:
        channels: Channels C of input and output.
        dilations: Dilation of each branch, at least two of them.
        fusion: "attention" (the paper's scale-aware modules) or "sum" (its ablation "w/o SA").
        share_fusion: Whether the cascade uses one scale-aware module for all steps, as the public
            code of CPFNet does in its forward pass (it builds two and calls the first twice).
        residual: "convex": $\mathrm{ReLU}(\beta f + (1 - \beta) x)$ of the fused branches f and the
            input x; "additive": $\mathrm{ReLU}(\beta f + x)$. In both, $\beta$ starts at 0.

    Raises:
        ValueError: If an argument is out of range.

    Source: ASNet section 2.2. Chosen where the paper is silent: no ReLU on the branches, unshared
    fusion, the convex residual and the closing 1x1 block.

    Example:
        >>> import torch
        >>> from lesionseg.blocks import AdaptiveScaleModule
        >>> module = AdaptiveScaleModule(channels=8, dilations=(1, 2, 4))
        >>> module(torch.rand(2, 8, 6, 10)).shape
        torch.Size([2, 8, 6, 10])
        >>> len(module.fusions)  # a scale-aware module for each further dilation
        2
    """

    def __init__(
        self,
        channels: int,
        dilations: Sequence[int] = (1, 2, 4),
        fusion: Literal["attention", "sum"] = "attention",
        share_fusion: bool = False,
        residual: Literal["convex", "additive"] = "convex",
    ) -> None:
        super().__init__()
        if len(dilations) < 2 or min(dilations) < 1:
            raise ValueError(
                "expected dilations to be two or more whole numbers of at least 1, "
                f"got {tuple(dilations)}"
            )
        if fusion not in ("attention", "sum"):
            raise ValueError(f'expected fusion to be "attention" or "sum", got {fusion!r}')
        if residual not in ("convex", "additive"):
            raise ValueError(f'expected residual to be "convex" or "additive", got {residual!r}')
        if share_fusion and fusion == "sum":
            raise ValueError('expected share_fusion to be False with fusion="sum", got True')
        self.dilations = tuple(dilations)
        self.residual = residual
        self.share_fusion = share_fusion
        self.shared = nn.Conv2d(channels, channels, 3, bias=False)
        self.norms = nn.ModuleList(nn.BatchNorm2d(channels) for _ in dilations)
        steps = len(dilations) - 1
        count = {"sum": 0, "attention": 1 if share_fusion else steps}[fusion]
        self.fusions = nn.ModuleList(ScaleAwareModule(channels) for _ in range(count))
        self.beta = nn.Parameter(torch.zeros(()))
        self.project = ConvBlock(channels, channels, kernel_size=1)

    def forward(self, x: Tensor) -> Tensor:
        """Apply the module."""
        fused, *others = (
            norm(F.conv2d(x, self.shared.weight, padding=dilation, dilation=dilation))
            for norm, dilation in zip(self.norms, self.dilations, strict=True)
        )
        for step, branch in enumerate(others):
            if self.fusions:
                fused = self.fusions[0 if self.share_fusion else step](fused, branch)
            else:
                fused = fused + branch
        kept = x if self.residual == "additive" else (1 - self.beta) * x
        out: Tensor = self.project(F.relu(self.beta * fused + kept))
        return out
