"""Building blocks of the networks as plain `torch.nn.Module`."""

from lesionseg.blocks.adaptive_scale import AdaptiveScaleModule, ScaleAwareModule
from lesionseg.blocks.attention import ChannelAttentionModule, PositionAttentionModule
from lesionseg.blocks.conv import ConvBlock, DeconvBlock, ResidualBlock
from lesionseg.blocks.factorized import NonBottleneck1D
from lesionseg.blocks.global_convolution import GlobalConvolution
from lesionseg.blocks.normalize import Normalize

PAM = PositionAttentionModule
CAM = ChannelAttentionModule

__all__ = [
    "CAM",
    "PAM",
    "AdaptiveScaleModule",
    "ChannelAttentionModule",
    "ConvBlock",
    "DeconvBlock",
    "GlobalConvolution",
    "NonBottleneck1D",
    "Normalize",
    "PositionAttentionModule",
    "ResidualBlock",
    "ScaleAwareModule",
]
