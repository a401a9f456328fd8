"""Losses on logits, per image, computed in float32 whatever the precision of the network."""

from lesionseg.losses.adversarial import AdversarialLoss, adversarial_loss
from lesionseg.losses.end_point import NLLEPELoss, nll_epe_loss
from lesionseg.losses.factory import create_loss, loss_names
from lesionseg.losses.joint import JointLoss, joint_loss
from lesionseg.losses.lovasz import LovaszHingeLoss, lovasz_hinge_loss
from lesionseg.losses.multi_scale import MultiScaleL1Loss, multi_scale_l1_loss
from lesionseg.losses.overlap import (
    SoftDiceLoss,
    SoftJaccardLoss,
    soft_dice_loss,
    soft_jaccard_loss,
)

__all__ = [
    "AdversarialLoss",
    "JointLoss",
    "LovaszHingeLoss",
    "MultiScaleL1Loss",
    "NLLEPELoss",
    "SoftDiceLoss",
    "SoftJaccardLoss",
    "adversarial_loss",
    "create_loss",
    "joint_loss",
    "loss_names",
    "lovasz_hinge_loss",
    "multi_scale_l1_loss",
    "nll_epe_loss",
    "soft_dice_loss",
    "soft_jaccard_loss",
]
