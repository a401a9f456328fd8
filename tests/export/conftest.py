"""A checkpoint small enough to be exported in seconds."""

import pytest
import torch
from lightning.pytorch import Trainer
from torch import Tensor, nn

from lesionseg.blocks import ChannelAttentionModule, ConvBlock, PositionAttentionModule
from lesionseg.models import Segmenter
from lesionseg.networks import SegmentationNetwork, register, registry


class TinyAttention(SegmentationNetwork):
    """Both attentions between two convolutions."""

    size_multiple = minimum_size = 2

    def __init__(self) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            ConvBlock(3, 8),
            nn.MaxPool2d(2),
            PositionAttentionModule(8),
            ChannelAttentionModule(),
            nn.ConvTranspose2d(8, 1, 2, 2),
        )

    def forward(self, image: Tensor) -> Tensor:
        self.check_image(image)
        return self.layers(image)


@pytest.fixture(autouse=True, scope="module")
def tiny_attention():
    """The network's name, known to these tests only."""
    register("tiny-attention", TinyAttention)
    yield
    del registry._REGISTERED["tiny-attention"]


@pytest.fixture(scope="module")
def checkpoint(tiny_attention, tmp_path_factory):
    """A checkpoint of the tiny network for 64 x 80 images; its attention is switched on."""
    torch.manual_seed(0)
    model = Segmenter("tiny-attention", size=(64, 80), threshold=0.4)
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            if name.endswith(".gamma"):
                parameter.fill_(0.3)
    path = tmp_path_factory.mktemp("export") / "tiny.ckpt"
    trainer = Trainer(max_epochs=1, logger=False, enable_checkpointing=False, accelerator="cpu")
    trainer.strategy.connect(model)
    trainer.save_checkpoint(path)
    return path
