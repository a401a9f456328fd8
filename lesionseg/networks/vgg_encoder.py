"""torchvision's VGG16 as an encoder."""

from torch import nn
from torchvision.models import VGG16_BN_Weights, VGG16_Weights
from torchvision.models.vgg import cfgs, make_layers

from lesionseg.networks.encoder_weights import State, load_encoder_weights
from lesionseg.networks.he import he_initialise


class VGG16Stages(nn.ModuleList):
    """The 13 convolutions of VGG16 as five stages without the poolings between them.

    14,714,688 parameters, 14,723,136 with batch normalisation. The stages have 64, 128, 256, 512
    and 512 channels and keep the size; layers have torchvision's numbers as names. Weights that
    are not loaded are He's.

    Args:
        batch_norm: Normalise after each convolution (torchvision's ``vgg16_bn``).
        weights: None, "imagenet" or the path of a local state dict of the whole classifier.

    Raises:
        CheckpointError: If the weights cannot be read, downloaded or used.

    Source: Simonyan and Zisserman, Very deep convolutional networks (ICLR 2015), configuration D.
    """

    def __init__(self, batch_norm: bool = False, weights: str | None = None) -> None:
        super().__init__()
        layers = make_layers(cfgs["D"], batch_norm)  # vgg16() would build its big classifier too
        start = 0
        for end, layer in enumerate(layers):
            if isinstance(layer, nn.MaxPool2d):
                self.append(layers[start:end])  # a slice keeps the numbers
                start = end + 1
        he_initialise(self)
        if weights is not None:
            pretrained = VGG16_BN_Weights if batch_norm else VGG16_Weights
            load_encoder_weights(self, weights, pretrained.IMAGENET1K_V1, self.select)

    def select(self, state: State) -> State:
        """Pick the stages' part of the classifier's state dict and name it as here."""
        stage_of = {name: i for i, stage in enumerate(self) for name, _ in stage.named_children()}
        features = {
            key.removeprefix("features."): value
            for key, value in state.items()
            if key.startswith("features.")
        }
        return {f"{stage_of.get(k.split('.')[0], 'unknown')}.{k}": v for k, v in features.items()}
