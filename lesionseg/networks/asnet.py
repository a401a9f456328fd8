"""ASNet and the rows of its ablation table."""

from collections.abc import Sequence
from typing import Literal

from torch import Tensor, nn
from torch.nn import functional as F

from lesionseg.blocks import AdaptiveScaleModule, ConvBlock, Normalize, ResidualBlock
from lesionseg.networks.base import SegmentationNetwork
from lesionseg.networks.library_encoder import LibraryEncoder
from lesionseg.networks.torchvision_encoders import ResNet34Encoder

#: The least widths of the decoder's blocks; the skips of ResNet34 have at least these.
_LEAST_WIDTHS = (64, 64, 48, 32)


class ASNetNetwork(SegmentationNetwork):
    """ResNet34 encoder, adaptive scale module, U-shaped decoder; 30,652,774 parameters.

    Image float (N, 3, H, W) in [0, 1] in, logits (N, 1, H, W) out; any H and W of at least 32.
    The encoder's normalization is part of the network. Training at 32 x 32 needs at least two
    images, because batch normalization cannot train on a single value per channel.

    Args:
        adaptive_scale: Whether to use the adaptive scale module; without it this is the paper's
            "Baseline" (24,608,609 parameters).
        dilations: See :class:`~lesionseg.blocks.AdaptiveScaleModule`; (1, 1, 1) is "w/o DI".
        fusion: See there; "sum" is "w/o SA" (27,234,146).
        share_fusion: See there; 28,943,460 if shared.
        residual: See there.
        wide_decoder: Put a residual block before each of the three deepest decoder blocks. Without
            the adaptive scale module that is "Baseline-Wide" (30,805,345).
        encoder_weights: None for random weights, "imagenet" for torchvision's IMAGENET1K_V1 (the
            paper's; downloaded once), or the path of a local state dict of torchvision's ResNet34.
            With another encoder, "imagenet" uses an installed package of weights if there is one
            and downloads them otherwise; see :class:`LibraryEncoder`.
        encoder: "resnet34" (the paper's) or any encoder of segmentation-models-pytorch or timm that
            halves the size five times, such as "efficientnet_lite0" (6,479,414 parameters in all).
        decoder_widths: Channels of the four decoder blocks, the deepest first. None for the
            channels of the skip that each block adds, but at least 64, 64, 48 and 32: 256, 128, 64
            and 64 with ResNet34.

    Raises:
        ValueError: If an argument is out of range.
        CheckpointError: If the encoder weights cannot be read, downloaded or used.

    Source: Zhu et al., ASNet (SPIE 11317, 2020), sections 2.1 to 2.3 and table 2. Chosen where the
    paper is silent: decoder widths 512-256-128-64-64, skips added, the head, and the residual
    blocks of the wide decoder; weights that are not pretrained have torch's initialization. Chosen
    for other encoders: a 1x1 convolution with bias where the width of a skip differs from its
    block's, and a ReLU after the addition (with ResNet34 neither addend is ever negative, so it
    changes nothing).

    Example:
        >>> import torch
        >>> from lesionseg.networks import ASNetNetwork
        >>> with torch.device("meta"):  # shapes only
        ...     network = ASNetNetwork()
        ...     logits = network(torch.empty(2, 3, 192, 256))
        >>> logits.shape
        torch.Size([2, 1, 192, 256])
        >>> f"{sum(parameter.numel() for parameter in network.parameters()):,}"
        '30,652,774'
    """

    minimum_size = 32
    paper = "Zhu et al., ASNet, SPIE 11317, 2020"
    weights_license = "torchvision ResNet34, BSD-3-Clause; trained on ImageNet (research only)"

    def __init__(
        self,
        adaptive_scale: bool = True,
        dilations: Sequence[int] = (1, 2, 4),
        fusion: Literal["attention", "sum"] = "attention",
        share_fusion: bool = False,
        residual: Literal["convex", "additive"] = "convex",
        wide_decoder: bool = False,
        encoder_weights: str | None = None,
        encoder: str = "resnet34",
        decoder_widths: Sequence[int] | None = None,
    ) -> None:
        super().__init__()
        if encoder == "resnet34":
            self.encoder: ResNet34Encoder | LibraryEncoder = ResNet34Encoder(encoder_weights)
        else:
            self.encoder = LibraryEncoder(encoder, encoder_weights)
        self.normalize = Normalize(self.encoder.mean, self.encoder.std)
        *skips, deepest = self.encoder.channels
        skips.reverse()
        if decoder_widths is None:
            decoder_widths = [max(pair) for pair in zip(skips, _LEAST_WIDTHS, strict=True)]
        if len(decoder_widths) != 4 or min(decoder_widths) < 1:
            raise ValueError(
                f"expected decoder_widths to be four positive widths, got {decoder_widths}"
            )
        self.context: nn.Module = (
            AdaptiveScaleModule(deepest, dilations, fusion, share_fusion, residual)
            if adaptive_scale
            else nn.Identity()
        )
        inputs = [deepest, *decoder_widths[:-1]]
        self.decoder = nn.ModuleList(
            _DecoderBlock(width_in, width_out, skip, wide=wide_decoder and i < 3)
            for i, (width_in, width_out, skip) in enumerate(
                zip(inputs, decoder_widths, skips, strict=True)
            )
        )
        self.head = nn.Sequential(
            ConvBlock(decoder_widths[-1], 32, kernel_size=1),
            ConvBlock(32, 32),
            nn.Conv2d(32, 1, 1),
        )

    def forward(self, image: Tensor) -> Tensor:
        """Return the logits of a batch of images."""
        self.check_image(image)
        *skips, features = self.encoder(self.normalize(image))
        features = self.context(features)
        for block, skip in zip(self.decoder, reversed(skips), strict=True):
            features = block(features, skip)
        logits: Tensor = self.head(_resize(features, image))
        return logits


class _DecoderBlock(nn.Module):
    """3x3 convolution, bilinear upsampling to the skip's size, 1x1 convolution, plus the skip."""

    def __init__(self, in_channels: int, out_channels: int, skip_channels: int, wide: bool) -> None:
        super().__init__()
        self.widen = ResidualBlock(in_channels) if wide else nn.Identity()
        self.conv = ConvBlock(in_channels, in_channels)
        self.reduce = ConvBlock(in_channels, out_channels, kernel_size=1)
        self.has_skip = skip_channels > 0
        self.lateral: nn.Module = nn.Identity()
        if self.has_skip and skip_channels != out_channels:
            self.lateral = nn.Conv2d(skip_channels, out_channels, 1)

    def forward(self, x: Tensor, skip: Tensor) -> Tensor:
        x = self.conv(self.widen(x))
        x = self.reduce(_resize(x, skip))
        return F.relu(x + self.lateral(skip)) if self.has_skip else x


def _resize(x: Tensor, like: Tensor) -> Tensor:
    return F.interpolate(x, size=like.shape[-2:], mode="bilinear", align_corners=False)
