"""SegAN's critic."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn.utils import parametrizations

from lesionseg.blocks import GlobalConvolution
from lesionseg.networks.base import check_pair


class SegANCritic(nn.Module):
    """Features of a masked image at seven scales; 60,182,720 parameters.

    Image float (N, 3, H, W) in [0, 1] and mask float (N, 1, H, W) in [0, 1] (a truth, or a
    segmentor's probabilities, not logits) in; H and W at least 32. The output is the masked image
    (N, 3, H, W) and the features of six stages, each half as high and wide as the stage before
    (rounded down where odd), with 3w, 6w, 12w, 40w, 8w and 8w channels at width w with the global
    branches.

    Args:
        width: Channels of the first stage, 64 in the original; all others scale with it.
        global_branches: Whether global convolutions (k = 13, 11, 9, 7) run beside the first four
            stages and their maps join the features that are compared. Without them there are
            9,393,088 parameters.
        spectral_norm: Divide each convolution's weight by its largest singular value, which bounds
            the critic without clipping its weights.

    Raises:
        ValueError: If ``width`` is less than 1.

    Source: Xue et al., SegAN (Neuroinformatics 2018), section 2.2; layer shapes of its authors'
    version for skin lesions. That version builds the global branches but does not run
    them. Chosen: they are used, each on its stage's output, the last followed by its 3x3
    convolution; the image is masked before any normalization, so that all outside the mask is 0.

    Example:
        >>> import torch
        >>> from lesionseg.networks import SegANCritic
        >>> critic = SegANCritic(width=4)
        >>> features = critic(torch.rand(2, 3, 64, 64), torch.rand(2, 1, 64, 64))
        >>> [tuple(feature.shape) for feature in features[:3]]
        [(2, 3, 64, 64), (2, 12, 32, 32), (2, 24, 16, 16)]
    """

    minimum_size: int = 32

    def __init__(
        self, width: int = 64, global_branches: bool = True, spectral_norm: bool = False
    ) -> None:
        super().__init__()
        if width < 1:
            raise ValueError(f"expected width to be at least 1, got {width}")
        w = width
        self.stages = nn.ModuleList(
            [
                nn.Sequential(
                    nn.Conv2d(3, w, 7, stride=2, padding=3, bias=False), nn.LeakyReLU(0.2)
                ),
                _unit(nn.Conv2d(w, 2 * w, 5, stride=2, padding=2, bias=False), 2 * w),
                _unit(nn.Conv2d(2 * w, 4 * w, 4, stride=2, padding=1, bias=False), 4 * w),
                _unit(nn.Conv2d(4 * w, 8 * w, 4, stride=2, padding=1, bias=False), 8 * w),
                _unit(nn.Conv2d(8 * w, 8 * w, 4, stride=2, padding=1, bias=False), 8 * w),
                _unit(nn.Conv2d(8 * w, 8 * w, 3, stride=2, padding=1, bias=False), 8 * w),
            ]
        )
        self.branches = nn.ModuleList()
        if global_branches:
            for channels, kernel in ((w, 13), (2 * w, 11), (4 * w, 9), (8 * w, 7)):
                wide = GlobalConvolution(channels, 2 * channels, kernel)
                self.branches.append(_unit(wide, 2 * channels))
            context = nn.Conv2d(16 * w, 32 * w, 3, padding=1, bias=False)
            self.branches[-1] = nn.Sequential(self.branches[-1], _unit(context, 32 * w))
        if spectral_norm:
            for layer in [part for part in self.modules() if isinstance(part, nn.Conv2d)]:
                parametrizations.spectral_norm(layer)

    def forward(self, image: Tensor, mask: Tensor) -> list[Tensor]:
        """Return the masked image and the features of every stage, finest first.

        Raises:
            ValueError: If image or mask have the wrong shape or range.
        """
        check_pair(type(self).__name__, image, mask, 1, self.minimum_size)
        x = image * mask.to(image.dtype)
        features = [x]
        for index, stage in enumerate(self.stages):
            x = stage(x)
            both = index < len(self.branches)
            features.append(torch.cat([x, self.branches[index](x)], dim=1) if both else x)
        return features


def _unit(convolution: nn.Module, channels: int) -> nn.Sequential:
    return nn.Sequential(convolution, nn.BatchNorm2d(channels), nn.LeakyReLU(0.2))
