"""He initialisation."""

from torch import nn


def he_initialise(module: nn.Module) -> None:
    """Draw the weights of all convolutions inside from N(0, 2 / n) and set their biases to 0.

    n is the number of values that one output value is computed from; for a transposed convolution
    that is its channels times the kernel's area, divided by the stride's.

    Source: He et al., Delving deep into rectifiers (ICCV 2015), section 2.2, forward case.
    """
    for part in module.modules():
        if not isinstance(part, (nn.Conv2d, nn.ConvTranspose2d)):
            continue
        inputs = part.in_channels // part.groups * part.kernel_size[0] * part.kernel_size[1]
        if isinstance(part, nn.ConvTranspose2d):
            inputs //= part.stride[0] * part.stride[1]
        nn.init.normal_(part.weight, std=(2 / inputs) ** 0.5)
        if part.bias is not None:
            nn.init.zeros_(part.bias)
