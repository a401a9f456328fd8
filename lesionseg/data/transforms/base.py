"""What every random change has in common: which images of a batch it changes, and how much."""

from abc import ABC, abstractmethod

import torch
from torch import Tensor, nn


class RandomChange(nn.Module, ABC):
    """Changes each image of a batch with some probability, in place, and masks where it must.

    A subclass says what :meth:`change` does; any module that takes and returns image and mask can
    stand beside them.

    Args:
        probability: of a change, per image.
        low_high: range of the number that says how much.
    """

    moves_pixels = False

    def __init__(self, probability: float, low_high: tuple[float, float] | None = None) -> None:
        super().__init__()
        self.probability = probability
        self.low_high = low_high

    def forward(self, image: Tensor, mask: Tensor) -> tuple[Tensor, Tensor]:
        """Change a batch: image (N, 3, H, W) in [0, 1] and mask (N, 1, H, W), both float32."""
        # Drawn on the CPU: it knows which images they are without waiting for the device.
        chosen = (torch.rand(len(image), device="cpu") < self.probability).nonzero().squeeze(1)
        drawn = self.draw(len(chosen))
        for batch in (image, mask) if self.moves_pixels else (image,):
            if batch.device.type == "cpu":
                # One by one, images stay in the cache, and memory is used again, whose fresh pages
                # would cost as much as the work.
                for number, place in enumerate(chosen.tolist()):
                    one = batch[place : place + 1]
                    one.copy_(self.change(one, drawn[number : number + 1]))
            elif len(chosen):
                where = chosen.to(batch.device, non_blocking=True)
                batch.index_copy_(0, where, self.change(batch.index_select(0, where), drawn))
        return image, mask

    def draw(self, count: int) -> Tensor:
        """Draw what :meth:`change` needs for so many images, on the CPU: one row for each."""
        drawn = torch.zeros(count, device="cpu")
        if self.low_high is not None:
            drawn.uniform_(*self.low_high)
        return drawn

    @abstractmethod
    def change(self, images: Tensor, drawn: Tensor) -> Tensor:
        """Return the images, or masks, changed, in place or not, by a row of ``drawn`` for each."""
