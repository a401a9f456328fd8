import warnings

import pytest
import torch
from lightning.pytorch import Trainer

from lesionseg.data import SyntheticDataModule
from lesionseg.models import GANFCN, ASNet, MobileGAN, SegAN, Segmenter

SIZE = (32, 32)


def tiny_data(**changes):
    arguments = {
        "size": SIZE,
        "train_length": 8,
        "val_length": 4,
        "test_length": 3,
        "batch_size": 4,
        "augmentation": ["horizontal_flip"],
    }
    return SyntheticDataModule(**arguments | changes)


def tiny_mobilegan(**changes):
    return MobileGAN(**{"size": SIZE} | changes)


def tiny_segan(**changes):
    return SegAN(**{"width": 4, "critic_width": 4, "size": SIZE} | changes)


def tiny_gan_fcn(**changes):
    """Its first epoch is the GAN's, the second the network's."""
    arguments = {
        "network": "smp:unet/resnet18",
        "synthesis_epochs": 1,
        "synthesizer_width": 4,
        "synthesizer_depth": 5,
        "size": SIZE,
    }
    return GANFCN(**arguments | changes)


def tiny_trainer(folder, **changes):
    arguments = {
        "default_root_dir": str(folder),
        "accelerator": "cpu",
        "devices": 1,
        "max_epochs": 1,
        "logger": False,
        "enable_checkpointing": False,
        "enable_progress_bar": False,
        "enable_model_summary": False,
        "num_sanity_val_steps": 0,
    }
    return Trainer(**arguments | changes)


BUILDERS = {
    "ASNet": lambda **k: ASNet(**{"size": SIZE} | k),
    "GANFCN": tiny_gan_fcn,
    "MobileGAN": tiny_mobilegan,
    "SegAN": tiny_segan,
    "Segmenter": lambda **k: Segmenter(**{"network": "smp:unet/resnet18", "size": SIZE} | k),
}


@pytest.fixture(autouse=True)
def _quiet_and_seeded():
    torch.manual_seed(0)
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", ".*num_workers.*")
        yield


@pytest.fixture(params=sorted(BUILDERS))
def build(request):
    """Each model class in turn, as a function of its keyword arguments."""
    return BUILDERS[request.param]
