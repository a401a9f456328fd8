"""Every network that the shared tester runs over, with its parameter count."""

from typing import Any, NamedTuple

from lesionseg.networks import SegmentationNetwork, create_network


class Variant(NamedTuple):
    count: int
    name: str
    arguments: dict[str, Any]

    def create(self) -> SegmentationNetwork:
        return create_network(self.name, **self.arguments)


def _variant(count: int, name: str, **arguments: Any) -> Variant:
    return Variant(count, name, arguments)


SIDES = {"frcn": 16}  # of the tester's images, where 64 pixels take too long

# Where torch's bf16 gradient of a strided 3x3 convolution over a single pixel would be garbage.
BFLOAT16_SIDES = {"segan": 128}

# How far bfloat16 may be off on average; SegNet pools near-equal values from another pixel.
BFLOAT16_TOLERANCE = {"segnet": 0.4}

VARIANTS = {
    "asnet": _variant(30_652_774, "asnet"),
    "asnet-baseline": _variant(24_608_609, "asnet-baseline"),
    "asnet-baseline-wide": _variant(30_805_345, "asnet-baseline-wide"),
    "asnet-without-attention": _variant(27_234_146, "asnet-without-attention"),
    "asnet-without-dilation": _variant(30_652_774, "asnet-without-dilation"),
    "asnet, shared fusion": _variant(28_943_460, "asnet", share_fusion=True),
    "asnet-lite": _variant(6_479_414, "asnet-lite"),
    "asnet-lite, no module": _variant(4_114_929, "asnet-lite", adaptive_scale=False),
    "asnet-lite, narrow": _variant(6_358_486, "asnet-lite", decoder_widths=[64, 48, 32, 16]),
    "asnet, additive": _variant(30_652_774, "asnet", residual="additive"),
    "mobilegan": _variant(2_348_204, "mobilegan"),
    "mobilegan, key stride": _variant(2_348_204, "mobilegan", key_stride=2),
    "mobilegan, max keys": _variant(2_348_204, "mobilegan", key_stride=4, key_pooling="max"),
    "mobilegan, dilations": _variant(2_348_204, "mobilegan", dilations=[1, 2, 4, 8]),
    "mobilegan-parallel": _variant(2_482_004, "mobilegan-parallel"),
    "mobilegan-stride2": _variant(2_348_204, "mobilegan-stride2"),
    "mobilegan-wide": _variant(2_346_144, "mobilegan-wide"),
    "fcn8s": _variant(134_271_430, "fcn8s"),
    "gan_fcn": _variant(134_271_430, "gan_fcn"),
    "frcn": _variant(16_263_554, "frcn"),
    "multiresunet": _variant(7_251_322, "multiresunet"),
    "multiresunet, authors' layers": _variant(7_238_228, "multiresunet", authors_layers=True),
    "segnet": _variant(29_443_585, "segnet"),
    "slsdeep": _variant(46_657_348, "slsdeep"),
    "unet": _variant(31_043_521, "unet"),
    "unet, width 32": _variant(7_765_985, "unet", width=32),
    "unet, width 40": _variant(12_131_161, "unet", width=40),
    "segan": _variant(156_265_344, "segan"),
    "segan, narrow": _variant(614_424, "segan", width=4),
    "smp:unet/resnet34": _variant(24_436_369, "smp:unet/resnet34"),
}
