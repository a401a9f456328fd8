"""Whole networks, pure `torch.nn.Module`: image in [0, 1] in, logits out; and their registry.

The classes are imported when first asked for, so that listing the names costs nothing.
"""

from typing import TYPE_CHECKING

from lesionseg.lazy import lazy_names
from lesionseg.networks.registry import create_network, network_names, register

if TYPE_CHECKING:
    from lesionseg.networks.asnet import ASNetNetwork
    from lesionseg.networks.base import SegmentationNetwork
    from lesionseg.networks.fcn8s import FCN8s
    from lesionseg.networks.frcn import FrCN
    from lesionseg.networks.image_synthesiser import ImageSynthesiser
    from lesionseg.networks.mobilegan import MobileGANGenerator
    from lesionseg.networks.mobilegan_discriminator import MobileGANDiscriminator
    from lesionseg.networks.multiresunet import MultiResUNet
    from lesionseg.networks.segan import SegANSegmentor
    from lesionseg.networks.segan_critic import SegANCritic
    from lesionseg.networks.segnet import SegNet
    from lesionseg.networks.slsdeep import SLSDeep
    from lesionseg.networks.smp import SMPNetwork
    from lesionseg.networks.unet import UNet

__all__ = [
    "ASNetNetwork",
    "FCN8s",
    "FrCN",
    "ImageSynthesiser",
    "MobileGANDiscriminator",
    "MobileGANGenerator",
    "MultiResUNet",
    "SLSDeep",
    "SMPNetwork",
    "SegANCritic",
    "SegANSegmentor",
    "SegNet",
    "SegmentationNetwork",
    "UNet",
    "create_network",
    "network_names",
    "register",
]

_MODULES = {
    "ASNetNetwork": "asnet",
    "ImageSynthesiser": "image_synthesiser",
    "MobileGANDiscriminator": "mobilegan_discriminator",
    "MobileGANGenerator": "mobilegan",
    "SMPNetwork": "smp",
    "FCN8s": "fcn8s",
    "FrCN": "frcn",
    "MultiResUNet": "multiresunet",
    "SegNet": "segnet",
    "UNet": "unet",
    "SLSDeep": "slsdeep",
    "SegANCritic": "segan_critic",
    "SegANSegmentor": "segan",
    "SegmentationNetwork": "base",
}

__getattr__, __dir__ = lazy_names(__name__, _MODULES)
