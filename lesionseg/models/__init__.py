"""LightningModules: networks with their losses and optimizers, ready for a Trainer."""

from lesionseg.models.asnet import ASNet
from lesionseg.models.base import Prediction, SegmentationModule
from lesionseg.models.gan_fcn import GANFCN
from lesionseg.models.mobilegan import MobileGAN
from lesionseg.models.segan import SegAN
from lesionseg.models.segmenter import Segmenter

__all__ = [
    "GANFCN",
    "ASNet",
    "MobileGAN",
    "Prediction",
    "SegAN",
    "SegmentationModule",
    "Segmenter",
]
