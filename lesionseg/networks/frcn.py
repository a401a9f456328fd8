"""FrCN, the full-resolution convolutional network."""

from itertools import pairwise

from torch import Tensor, nn

from lesionseg.blocks import Normalize
from lesionseg.networks.base import SegmentationNetwork, he_initialize, logit_of_two
from lesionseg.networks.torchvision_encoders import VGG16Stages

_WIDTHS = (512, 256, 128, 64)


class FrCN(SegmentationNetwork):
    """VGG16's convolutions without subsampling, then three more; 16,263,554 parameters.

    Image float (N, 3, H, W) in [0, 1] in, logits (N, 1, H, W) out; any H and W. ImageNet's
    normalization is part of the network. Every map has the image's size, so time and memory are
    high: 266 billion multiplications per image of 128 x 128 pixels.

    Args:
        encoder_weights: None for random weights, "imagenet" for torchvision's VGG16
            (IMAGENET1K_V1; downloaded once), or the path of a local state dict of it. These weights
            were trained with pooling in between, so that their receptive fields differ here.

    Raises:
        CheckpointError: If the encoder weights cannot be read, downloaded or used.

    Source: Al-masni et al., FrCN (Computer Methods and Programs in Biomedicine 162, 2018). Read
    so that it has the 16.3 M parameters of MobileGAN's table: 3x3 convolutions 512-256-128-64 with
    ReLU on top, and a 1x1 convolution to the scores of background and lesion, whose difference is
    the logit (a softmax over two classes). Chosen where it is silent: no dropout, He's
    initialization, and torch's of the scores.

    Example:
        >>> import torch
        >>> from lesionseg.networks import FrCN
        >>> with torch.device("meta"):  # shapes only
        ...     network = FrCN()
        ...     logits = network(torch.empty(2, 3, 192, 256))
        >>> logits.shape
        torch.Size([2, 1, 192, 256])
        >>> f"{sum(parameter.numel() for parameter in network.parameters()):,}"
        '16,263,554'
    """

    paper = "Al-masni et al., FrCN, Comput. Methods Programs Biomed. 162, 2018"
    weights_license = "torchvision VGG16, BSD-3-Clause; trained on ImageNet (research only)"

    def __init__(self, encoder_weights: str | None = None) -> None:
        super().__init__()
        self.normalize = Normalize()
        self.encoder = VGG16Stages(weights=encoder_weights)
        self.decoder = nn.Sequential()
        for before, after in pairwise(_WIDTHS):
            self.decoder.append(nn.Conv2d(before, after, 3, padding=1))
            self.decoder.append(nn.ReLU(inplace=True))
        self.head = nn.Conv2d(_WIDTHS[-1], 2, 1)
        he_initialize(self.decoder)

    def forward(self, image: Tensor) -> Tensor:
        """Return the logits of a batch of images."""
        self.check_image(image)
        features = self.normalize(image)
        for stage in self.encoder:
            features = stage(features)
        return logit_of_two(self.head(self.decoder(features)))
