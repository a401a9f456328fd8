"""SegAN's critic."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn.utils import parametrizations

from lesionseg.blocks import GlobalConvolution
from lesionseg.guards import check_masks
from lesionseg.networks.base import check_image


class SegANCritic(nn.Module):
    """Features of a masked image at seven scales; 60,182,720 parameters.

    Image float (N, 3, H, W) in [0, 1] and mask float (N, 1, H, W) in [0, 1] (a truth, or a
    segmentor's probabilities, not logits) in; H and W at least 32. Out come the masked image
    (N, 3, H, W) itself and the features of six stages, each half as high and wide as the one
    before (rounded down where odd): at width w and with the global branches 3w, 6w, 12w, 40w, 8w
    and 8w maps.

    Args:
        width: Maps of the first stage, 64 in the original; all others scale with it.
        global_branches: Global convolutions (k = 13, 11, 9, 7) beside the first four stages, whose
            maps join the features that are compared. False leaves the six stages alone: 9,393,088
            parameters.
        spectral_norm: Divide each convolution's weight by its largest singular value, which bounds
            the critic without clipping its weights.

    Raises:
        ValueError: If ``width`` is less than 1.

    Source: Xue et al., SegAN (Neuroinformatics 2018), section 2.2; layer shapes of its authors'
    version for skin lesions. That version builds the global branches but leaves them out when it
    runs. Chosen: they are in use, each on its stage's output, the last one followed by its 3x3
    convolution; the image is masked as it comes, so that all outside the mask is 0.
    """

    minimum_size: int = 32

    def __init__(
        self, width: int = 64, global_branches: bool = True, spectral_norm: bool = False
    ) -> None:
        super().__init__()
        if width < 1:
            raise ValueError(f"width must be at least 1, got {width}")
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
            for layer in [one for one in self.modules() if isinstance(one, nn.Conv2d)]:
                parametrizations.spectral_norm(layer)

    def forward(self, image: Tensor, mask: Tensor) -> list[Tensor]:
        """Return the masked image and the features of every stage, finest first.

        Raises:
            ValueError: If image or mask have the wrong shape.
        """
        check_image(type(self).__name__, image, 1, self.minimum_size)
        expected = (image.shape[0], 1, *image.shape[2:])
        if mask.shape != expected:
            raise ValueError(
                f"the mask must be (N, 1, H, W) like its image, {tuple(expected)}, "
                f"got {tuple(mask.shape)}"
            )
        check_masks(type(self).__name__, mask)
        x = image * mask.to(image.dtype)
        features = [x]
        for index, stage in enumerate(self.stages):
            x = stage(x)
            both = index < len(self.branches)
            features.append(torch.cat([x, self.branches[index](x)], dim=1) if both else x)
        return features


def _unit(convolution: nn.Module, channels: int) -> nn.Sequential:
    return nn.Sequential(convolution, nn.BatchNorm2d(channels), nn.LeakyReLU(0.2))
