"""An image with its mask outlined."""

import torch
from PIL import Image
from torch import Tensor
from torch.nn.functional import max_pool2d


def draw_outline(
    image: Tensor, mask: Tensor | None, color: tuple[int, int, int] = (0, 255, 0)
) -> Image.Image:
    """Draw the inner border of a mask, one pixel wide, over an image.

    Args:
        image: (3, H, W) in [0, 1].
        mask: (1, H, W) in {0, 1}; None draws nothing.
        color: of the line, 8-bit RGB.

    Returns:
        RGB image of H x W pixels.
    """
    pixels = (image.detach().cpu().float().clamp(0, 1) * 255).round().to(torch.uint8)
    if mask is not None:
        lesion = mask.detach().cpu().float()
        # Lesion pixels beside skin; padding with skin closes the line at the image's edge.
        skin = torch.nn.functional.pad(1 - lesion, (1, 1, 1, 1), value=1.0)
        border = (lesion * max_pool2d(skin[None], 3, stride=1)[0]).bool()
        pixels = torch.where(border, torch.tensor(color, dtype=torch.uint8)[:, None, None], pixels)
    return Image.fromarray(pixels.permute(1, 2, 0).numpy())
