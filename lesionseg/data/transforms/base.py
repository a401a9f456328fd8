"""Base of random changes: which images of a batch are changed, and how much."""

from abc import ABC, abstractmethod

import torch
from torch import Tensor, nn


class RandomChange(nn.Module, ABC):
    """Change each image of a batch with some probability, in place, and its mask if pixels move.

    Subclasses implement :meth:`change`.

    Args:
        probability: Probability of a change, per image.
        low_high: Range of the number that says how much.
    """

    moves_pixels = False

    def __init__(self, probability: float, low_high: tuple[float, float] | None = None) -> None:
        super().__init__()
        self.probability = probability
        self.low_high = low_high

    def forward(self, image: Tensor, mask: Tensor) -> tuple[Tensor, Tensor]:
        """Change a batch: image (N, 3, H, W) in [0, 1] and mask (N, 1, H, W), both float32."""
        # Drawn on the CPU, which then need not wait for the device.
        chosen = (torch.rand(len(image), device="cpu") < self.probability).nonzero().squeeze(1)
        drawn = self.draw(len(chosen))
        for batch in (image, mask) if self.moves_pixels else (image,):
            if batch.device.type == "cpu":
                # Image by image: pixels stay in the cache, and memory is reused.
                for number, index in enumerate(chosen.tolist()):
                    item = batch[index : index + 1]
                    item.copy_(self.change(item, drawn[number : number + 1]))
            elif len(chosen):
                where = chosen.to(batch.device, non_blocking=True)
                batch.index_copy_(0, where, self.change(batch.index_select(0, where), drawn))
        return image, mask

    def draw(self, count: int) -> Tensor:
        """Draw the parameters of :meth:`change` on the CPU, a row for each of ``count`` images."""
        drawn = torch.zeros(count, device="cpu")
        if self.low_high is not None:
            drawn.uniform_(*self.low_high)
        return drawn

    @abstractmethod
    def change(self, images: Tensor, drawn: Tensor) -> Tensor:
        """Return images, or masks, changed by their rows of ``drawn``, in place or not."""
