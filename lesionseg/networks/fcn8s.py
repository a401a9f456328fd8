"""FCN-8s."""

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torchvision.models import VGG16_Weights

from lesionseg.blocks import Normalize
from lesionseg.networks.base import SegmentationNetwork, he_initialize, logit_of_two
from lesionseg.networks.encoder_weights import State, load_encoder_weights
from lesionseg.networks.torchvision_encoders import VGG16Stages


class FCN8s(SegmentationNetwork):
    """VGG16 made convolutional, with scores at strides 8, 16 and 32; 134,271,430 parameters.

    Image float (N, 3, H, W) in [0, 1] in, logits (N, 1, H, W) out; H and W are multiples of 32.
    ImageNet's normalization is part of the network.

    Args:
        encoder_weights: None for random weights, "imagenet" for torchvision's VGG16
            (IMAGENET1K_V1; downloaded once), or the path of a local state dict of it. The first two
            fully connected layers are loaded too, as convolutions.

    Raises:
        CheckpointError: If the encoder weights cannot be read, downloaded or used.

    Source: Long et al., Fully convolutional networks (CVPR 2015), section 4. It has one score map
    per class: here background and lesion, whose difference is the logit (a softmax over two
    classes). Chosen otherwise: padding that keeps the size instead of 100 pixels around the image
    and crops; a last deconvolution that is learned, initialized bilinearly like the other two;
    torch's initialization of the scores instead of 0, and He's of all other weights.

    Example:
        >>> import torch
        >>> from lesionseg.networks import FCN8s
        >>> with torch.device("meta"):  # shapes only
        ...     network = FCN8s()
        ...     logits = network(torch.empty(2, 3, 192, 256))
        >>> logits.shape
        torch.Size([2, 1, 192, 256])
        >>> f"{sum(parameter.numel() for parameter in network.parameters()):,}"
        '134,271,430'
    """

    size_multiple = 32
    minimum_size = 32
    paper = "Long et al., Fully convolutional networks, CVPR 2015"
    weights_license = "torchvision VGG16, BSD-3-Clause; trained on ImageNet (research only)"

    def __init__(self, encoder_weights: str | None = None) -> None:
        super().__init__()
        self.normalize = Normalize()
        self.encoder = _ConvolutionalVGG16(encoder_weights)
        self.score_pool3 = nn.Conv2d(256, 2, 1)
        self.score_pool4 = nn.Conv2d(512, 2, 1)
        self.score_fc7 = nn.Conv2d(4096, 2, 1)
        self.up_fc7 = _bilinear_deconvolution(2)
        self.up_pool4 = _bilinear_deconvolution(2)
        self.up_pool3 = _bilinear_deconvolution(8)

    def forward(self, image: Tensor) -> Tensor:
        """Return the logits of a batch of images."""
        self.check_image(image)
        pool3, pool4, fc7 = self.encoder(self.normalize(image))
        scores = self.up_fc7(self.score_fc7(fc7)) + self.score_pool4(pool4)
        scores = self.up_pool4(scores) + self.score_pool3(pool3)
        return logit_of_two(self.up_pool3(scores))


class _ConvolutionalVGG16(nn.Module):
    """VGG16 whose first two fully connected layers are convolutions of 7x7 and 1x1.

    Image in; maps of 256, 512 and 4096 channels at 1/8, 1/16 and 1/32 of the size out.
    """

    def __init__(self, weights: str | None) -> None:
        super().__init__()
        self.stages = VGG16Stages()
        self.fc6 = nn.Conv2d(512, 4096, 7, padding=3)
        self.fc7 = nn.Conv2d(4096, 4096, 1)
        self.dropout = nn.Dropout(0.5)
        if weights is None:
            he_initialize(self.fc6)
            he_initialize(self.fc7)
        else:
            load_encoder_weights(self, weights, VGG16_Weights.IMAGENET1K_V1, self._select)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        pools = []
        for stage in self.stages:
            x = F.max_pool2d(stage(x), 2)
            pools.append(x)
        for fc in (self.fc6, self.fc7):
            x = self.dropout(F.relu(fc(x)))
        return pools[2], pools[3], x

    def _select(self, state: State) -> State:
        selected = {f"stages.{key}": value for key, value in self.stages.select(state).items()}
        for name, layer in (("fc6", "classifier.0"), ("fc7", "classifier.3")):
            fc: nn.Conv2d = getattr(self, name)
            if f"{layer}.weight" in state:  # flattened as channel, row, column
                selected[f"{name}.weight"] = state[f"{layer}.weight"].reshape(fc.weight.shape)
            if f"{layer}.bias" in state:
                selected[f"{name}.bias"] = state[f"{layer}.bias"]
        return selected


def _bilinear_deconvolution(factor: int) -> nn.ConvTranspose2d:
    """Return a transposed convolution of the two scores, initialized to bilinear upsampling."""
    side = 2 * factor
    deconvolution = nn.ConvTranspose2d(2, 2, side, factor, padding=factor // 2, bias=False)
    distance = (torch.arange(side) - (side - 1) / 2).abs() / factor
    triangle = 1 - distance
    with torch.no_grad():
        deconvolution.weight.copy_(torch.einsum("io,y,x->ioyx", torch.eye(2), triangle, triangle))
    return deconvolution
