"""MobileGAN's generator."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from typing import Literal

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from lesionseg.blocks import (
    ChannelAttentionModule,
    ConvBlock,
    DeconvBlock,
    NonBottleneck1D,
    Normalize,
    PositionAttentionModule,
)
from lesionseg.blocks.attention import KeyPooling
from lesionseg.networks.base import SegmentationNetwork

_SCALES = (1, 2, 4, 8)
_SHALLOW_DROPOUT = 0.03
_DEEP_DROPOUT = 0.3
_DEEP_LAYERS = 8
_PAPER_SIDE = 128
_MANY_POSITIONS = 1024

_MakeAttention = Callable[[int], PositionAttentionModule]


class MobileGANGenerator(SegmentationNetwork):
    """MobileGAN's generator; 2,348,204 parameters.

    Image float (N, 3, H, W) in [0, 1] in, logits (N, 1, H, W) out; H and W are multiples of 8 (of
    64 with ``cda_stride=2``). pix2pix's normalization to [-1, 1] is part of the network.

    The paper's noise z is the decoder's dropout: active in training; ``eval()`` is deterministic,
    and :meth:`monte_carlo` samples it. Training at the minimum size needs at least two images.

    Args:
        encoder_widths: Channels of the multi-scale block and of the three CDA layers, at least 8.
        decoder_widths: Channels of the two decoder stages, at least 8; a parallel decoder has the
            first in both streams. Encoder (16, 64, 64, 128) with decoder (64, 16) is the other
            reading of the paper's figure (2,346,144 parameters).
        decoder: "serial": DUA and two FCA, twice; "parallel": the paper's literal text, two such
            streams on the upsampled encoder output, summed (2,482,004).
        cda_stride: Stride of the convolution of a CDA layer. 2 is the paper's literal text and
            leaves 2 x 2 positions at 128 x 128; the logits are then upsampled to the image's size.
        z_dropout: Probability of the decoder's dropout, in [0, 1).
        key_stride: See :class:`~lesionseg.blocks.PositionAttentionModule`; applied in the layers
            that have at least 1024 positions at 128 x 128 (the two largest of the encoder and both
            of the decoder). 2 or 4 make the network faster; 1 is the paper's attention.
        key_pooling: ``"average"`` or ``"max"``, of the keys and values where they are pooled.
        dilations: Dilations of the eight FCA layers of the deepest maps, repeated to eight. Where a
            dilation spans the whole map (16 at 128 x 128, 8 and 16 at 64 x 64), the outer weights
            of its convolutions read only padding; (1, 2, 4, 8) avoids that at 128 x 128.

    Raises:
        ValueError: If an argument is out of range.

    Source: Sarker et al., MobileGAN (2019), section 2.1. Chosen where the paper is
    silent or contradicts itself: stride 1 before the pooling, the decoder in series, scales 1 to
    1/8 by area averaging, ERFNet's dropout (0.03, then 0.3) and dilations (2, 4, 8, 16, twice),
    z_dropout 0.3, and a transposed convolution as the last upsampling.

    Example:
        >>> import torch
        >>> from lesionseg.networks import MobileGANGenerator
        >>> network = MobileGANGenerator(key_stride=2).eval()
        >>> image = torch.rand(2, 3, 32, 48)
        >>> network(image).shape
        torch.Size([2, 1, 32, 48])
        >>> network.monte_carlo(image, samples=3).shape
        torch.Size([3, 2, 1, 32, 48])
    """

    default_size = (128, 128)
    paper = "Sarker et al., MobileGAN, 2019"

    def __init__(
        self,
        encoder_widths: Sequence[int] = (16, 32, 64, 128),
        decoder_widths: Sequence[int] = (64, 32),
        decoder: Literal["serial", "parallel"] = "serial",
        cda_stride: int = 1,
        z_dropout: float = 0.3,
        key_stride: int = 1,
        key_pooling: KeyPooling = "average",
        dilations: Sequence[int] = (2, 4, 8, 16),
    ) -> None:
        super().__init__()
        if len(encoder_widths) != 4 or min(encoder_widths) < 8:
            raise ValueError(
                "expected encoder_widths to be four numbers of at least 8, "
                f"got {tuple(encoder_widths)}"
            )
        if len(decoder_widths) != 2 or min(decoder_widths) < 8:
            raise ValueError(
                "expected decoder_widths to be two numbers of at least 8, "
                f"got {tuple(decoder_widths)}"
            )
        if decoder not in ("serial", "parallel"):
            raise ValueError(f'expected decoder to be "serial" or "parallel", got {decoder!r}')
        if cda_stride not in (1, 2):
            raise ValueError(f"expected cda_stride to be 1 or 2, got {cda_stride}")
        if not 0 <= z_dropout < 1:
            raise ValueError(f"expected z_dropout to be in [0, 1), got {z_dropout}")
        if not dilations or _DEEP_LAYERS % len(dilations) or min(dilations) < 1:
            raise ValueError(
                "expected dilations to be 1, 2, 4 or 8 numbers of at least 1, "
                f"got {tuple(dilations)}"
            )
        down = 2 * cda_stride
        self.size_multiple = self.minimum_size = deepest = down**3

        def attention(shrunk: int) -> _MakeAttention:
            """Return position attention for maps ``shrunk`` times smaller than the image."""
            many = (_PAPER_SIDE // shrunk) ** 2 >= _MANY_POSITIONS
            return partial(
                PositionAttentionModule,
                key_stride=key_stride if many else 1,
                key_pooling=key_pooling,
            )

        scale, first, second, third = encoder_widths
        self.normalize = Normalize((0.5, 0.5, 0.5), (0.5, 0.5, 0.5))
        self.scales = _MultiScale(scale)
        self.encoder = nn.Sequential(
            _down_attention(scale, first, cda_stride, attention(down)),
            _down_attention(first, second, cda_stride, attention(down**2)),
            *(_factorized_attention(second, _SHALLOW_DROPOUT) for _ in range(4)),
            _down_attention(second, third, cda_stride, attention(deepest)),
            *(
                _factorized_attention(third, _DEEP_DROPOUT, dilation)
                for dilation in (*dilations,) * (_DEEP_LAYERS // len(dilations))
            ),
            NonBottleneck1D(third),
            _DualAttention(attention(deepest)(third)),
        )
        self.decoder: nn.Module
        if decoder == "serial":
            self.decoder = nn.Sequential(
                _stream(third, decoder_widths[0], z_dropout, attention(deepest // 2)),
                _stream(decoder_widths[0], decoder_widths[1], z_dropout, attention(deepest // 4)),
            )
            last = decoder_widths[1]
        else:
            self.decoder = _ParallelStreams(
                _stream(third, decoder_widths[0], z_dropout, attention(deepest // 4))
                for _ in range(2)
            )
            last = decoder_widths[0]
        self.head = nn.ConvTranspose2d(last, 1, 3, 2, padding=1, output_padding=1)

    def forward(self, image: Tensor) -> Tensor:
        """Return the logits of a batch of images."""
        return self._decode(self._encode(image), image)

    def monte_carlo(self, image: Tensor, samples: int) -> Tensor:
        """Sample logits with only the decoder's dropout (z) active.

        Every other module works as in ``eval()``; the encoder runs once. The training modes are
        restored afterwards, also after an error.

        Args:
            image: Images (N, 3, H, W) in [0, 1].
            samples: Number of samples, at least 1.

        Returns:
            Logits (samples, N, 1, H, W).

        Raises:
            ValueError: If ``samples`` is less than 1 or the images do not fit.
        """
        if samples < 1:
            raise ValueError(f"expected samples to be at least 1, got {samples}")
        with self._only_decoder_dropout():
            features = self._encode(image)
            return torch.stack([self._decode(features, image) for _ in range(samples)])

    def _encode(self, image: Tensor) -> Tensor:
        self.check_image(image)
        features: Tensor = self.encoder(self.scales(self.normalize(image)))
        return features

    def _decode(self, features: Tensor, image: Tensor) -> Tensor:
        logits: Tensor = self.head(self.decoder(features))
        if logits.shape[-2:] != image.shape[-2:]:
            logits = _resize(logits, image)
        return logits

    @contextmanager
    def _only_decoder_dropout(self) -> Iterator[None]:
        modes = [(module, module.training) for module in self.modules()]
        try:
            self.eval()
            for module in self.decoder.modules():
                if isinstance(module, nn.Dropout2d):
                    module.train()
            yield
        finally:
            for module, mode in modes:
                module.training = mode


class _MultiScale(nn.Module):
    """A convolution block and CAM at each of four scales, upsampled and averaged."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.branches = nn.ModuleList(
            nn.Sequential(ConvBlock(3, channels, bias=True), ChannelAttentionModule())
            for _ in _SCALES
        )

    def forward(self, image: Tensor) -> Tensor:
        maps = []
        for scale, branch in zip(_SCALES, self.branches, strict=True):
            scaled = image if scale == 1 else F.avg_pool2d(image, scale)
            maps.append(branch(scaled) if scale == 1 else _resize(branch(scaled), image))
        return sum(maps[1:], start=maps[0]) / len(maps)


class _DualAttention(nn.Module):
    """PAM and CAM side by side, summed."""

    def __init__(self, position: PositionAttentionModule) -> None:
        super().__init__()
        self.position = position
        self.channel = ChannelAttentionModule()

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = self.position(x) + self.channel(x)
        return out


class _ParallelStreams(nn.Module):
    """Decoder streams side by side on the upsampled features, summed."""

    def __init__(self, streams: Iterable[nn.Module]) -> None:
        super().__init__()
        self.streams = nn.ModuleList(streams)

    def forward(self, x: Tensor) -> Tensor:
        x = F.interpolate(x, scale_factor=2.0, mode="bilinear", align_corners=False)
        return torch.stack([stream(x) for stream in self.streams]).sum(dim=0)


def _down_attention(
    in_channels: int, out_channels: int, stride: int, attention: _MakeAttention
) -> nn.Sequential:
    """CDA: convolution, downsampling, attention."""
    return nn.Sequential(
        ConvBlock(in_channels, out_channels, stride=stride, bias=True),
        nn.MaxPool2d(2),
        attention(out_channels),
    )


def _factorized_attention(channels: int, dropout: float, dilation: int = 1) -> nn.Sequential:
    """FCA: factorized convolution and attention."""
    return nn.Sequential(NonBottleneck1D(channels, dropout, dilation), ChannelAttentionModule())


def _stream(
    in_channels: int, out_channels: int, dropout: float, attention: _MakeAttention
) -> nn.Sequential:
    """DUA (deconvolution, upsampling, attention) and two FCA."""
    return nn.Sequential(
        DeconvBlock(in_channels, out_channels),
        attention(out_channels),
        _factorized_attention(out_channels, dropout),
        _factorized_attention(out_channels, dropout),
    )


def _resize(x: Tensor, like: Tensor) -> Tensor:
    return F.interpolate(x, size=like.shape[-2:], mode="bilinear", align_corners=False)
