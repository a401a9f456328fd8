"""torchvision's ResNet34 and VGG16 as encoders."""

from torch import Tensor, nn
from torchvision.models import ResNet34_Weights, VGG16_BN_Weights, VGG16_Weights, resnet34
from torchvision.models.vgg import cfgs, make_layers

from lesionseg.blocks.normalize import IMAGENET_MEAN, IMAGENET_STD
from lesionseg.networks.base import he_initialize
from lesionseg.networks.encoder_weights import State, load_encoder_weights


class ResNet34Encoder(nn.Module):
    """ResNet34 without its classifier; 21,284,672 parameters.

    Normalized image (N, 3, H, W) in; five feature maps out, of 64, 64, 128, 256 and 512 channels at
    1/2, 1/4, 1/8, 1/16 and 1/32 of the size (rounded up). Parameter names are torchvision's.

    Attributes:
        channels: Channels of the five maps, the largest map first.
        mean: Mean of the normalization that the ImageNet weights expect.
        std: Standard deviation of the same.

    Args:
        weights: None, "imagenet" or the path of a local state dict.

    Raises:
        CheckpointError: If the weights cannot be read, downloaded or used.

    Source: He et al., Deep residual learning (CVPR 2016).

    Example:
        >>> import torch
        >>> from lesionseg.networks.torchvision_encoders import ResNet34Encoder
        >>> with torch.device("meta"):  # shapes only
        ...     features = ResNet34Encoder()(torch.empty(2, 3, 64, 96))
        >>> [tuple(maps.shape[1:]) for maps in features]
        [(64, 32, 48), (64, 16, 24), (128, 8, 12), (256, 4, 6), (512, 2, 3)]
    """

    channels = (64, 64, 128, 256, 512)
    mean = IMAGENET_MEAN
    std = IMAGENET_STD

    def __init__(self, weights: str | None = None) -> None:
        super().__init__()
        resnet = resnet34(weights=None)
        self.conv1 = resnet.conv1
        self.bn1 = resnet.bn1
        self.relu = resnet.relu
        self.maxpool = resnet.maxpool
        self.layer1 = resnet.layer1
        self.layer2 = resnet.layer2
        self.layer3 = resnet.layer3
        self.layer4 = resnet.layer4
        if weights is not None:
            load_encoder_weights(self, weights, ResNet34_Weights.IMAGENET1K_V1, _without_classifier)

    def forward(self, x: Tensor) -> list[Tensor]:
        """Return the feature maps, the largest first."""
        features = [self.relu(self.bn1(self.conv1(x)))]
        features.append(self.layer1(self.maxpool(features[-1])))
        for layer in (self.layer2, self.layer3, self.layer4):
            features.append(layer(features[-1]))
        return features


def _without_classifier(state: State) -> State:
    return {key: value for key, value in state.items() if not key.startswith("fc.")}


class VGG16Stages(nn.ModuleList):
    """The 13 convolutions of VGG16 as five stages without the poolings between them.

    14,714,688 parameters, 14,723,136 with batch normalization. The stages have 64, 128, 256, 512
    and 512 channels and keep the size; layers have torchvision's numbers as names. Weights that
    are not loaded have He's initialization.

    Args:
        batch_norm: Normalize after each convolution (torchvision's ``vgg16_bn``).
        weights: None, "imagenet" or the path of a local state dict of the whole classifier.

    Raises:
        CheckpointError: If the weights cannot be read, downloaded or used.

    Source: Simonyan and Zisserman, Very deep convolutional networks (ICLR 2015), configuration D.

    Example:
        >>> import torch
        >>> from lesionseg.networks.torchvision_encoders import VGG16Stages
        >>> with torch.device("meta"):  # shapes only
        ...     stages = VGG16Stages()
        >>> [len(stage) // 2 for stage in stages]  # convolutions, each with a ReLU
        [2, 2, 3, 3, 3]
    """

    def __init__(self, batch_norm: bool = False, weights: str | None = None) -> None:
        super().__init__()
        layers = make_layers(cfgs["D"], batch_norm)  # vgg16() would build its big classifier too
        start = 0
        for end, layer in enumerate(layers):
            if isinstance(layer, nn.MaxPool2d):
                self.append(layers[start:end])  # a slice keeps the numbers
                start = end + 1
        he_initialize(self)
        if weights is not None:
            pretrained = VGG16_BN_Weights if batch_norm else VGG16_Weights
            load_encoder_weights(self, weights, pretrained.IMAGENET1K_V1, self.select)

    def select(self, state: State) -> State:
        """Return the stages' part of the classifier's state dict under the names of this module."""
        stage_of = {name: i for i, stage in enumerate(self) for name, _ in stage.named_children()}
        features = {
            key.removeprefix("features."): value
            for key, value in state.items()
            if key.startswith("features.")
        }
        return {f"{stage_of.get(k.split('.')[0], 'unknown')}.{k}": v for k, v in features.items()}
