"""Changes that move the pixels of images and masks."""

import torch
from torch import Tensor
from torch.nn import functional as F

from lesionseg.data.transforms.base import RandomChange


class Flip(RandomChange):
    """Mirror along an axis."""

    moves_pixels = True

    def __init__(self, probability: float, axis: int) -> None:
        super().__init__(probability)
        self.axis = axis

    def change(self, images: Tensor, drawn: Tensor) -> Tensor:
        """Mirror."""
        return images.flip(self.axis)


class Transposition(RandomChange):
    """Swap rows and columns of square images; other images are not changed."""

    moves_pixels = True

    def change(self, images: Tensor, drawn: Tensor) -> Tensor:
        """Transpose."""
        height, width = images.shape[-2:]
        return images.transpose(-2, -1).contiguous() if height == width else images


class Translation(RandomChange):
    """Shift along both axes.

    Args:
        probability: Probability of a shift, per image.
        most: Largest shift along each axis, as a fraction of height and width.
    """

    moves_pixels = True

    def __init__(self, probability: float, most: float) -> None:
        super().__init__(probability)
        self.most = most

    def draw(self, count: int) -> Tensor:
        """Draw the shifts, (count, 2), along x and y."""
        return torch.empty(count, 2, device="cpu").uniform_(-self.most, self.most)

    def change(self, images: Tensor, drawn: Tensor) -> Tensor:
        """Shift to the right and down if positive."""
        shifts = drawn.to(images.device, non_blocking=True)
        matrix = torch.eye(2, 3, device=images.device).repeat(len(images), 1, 1)
        matrix[:, :, 2] = -2 * shifts  # grid_sample counts an axis from -1 to 1
        grid = F.affine_grid(matrix, list(images.shape), align_corners=False)
        return F.grid_sample(
            images, grid, mode=_mode(images), padding_mode="reflection", align_corners=False
        )


class Rotation(RandomChange):
    """Rotate about the center by degrees from ``low_high``."""

    moves_pixels = True

    def change(self, images: Tensor, drawn: Tensor) -> Tensor:
        """Rotate counter-clockwise."""
        from kornia.geometry.transform import rotate  # takes a second to import

        angle = drawn.to(images.device, non_blocking=True)
        rotated: Tensor = rotate(images, angle, mode=_mode(images), padding_mode="reflection")
        return rotated


class Scale(RandomChange):
    """Enlarge or shrink about the center by a factor from ``low_high``."""

    moves_pixels = True

    def change(self, images: Tensor, drawn: Tensor) -> Tensor:
        """Enlarge or shrink."""
        from kornia.geometry.transform import scale

        factor = drawn.to(images.device, non_blocking=True)[:, None].expand(-1, 2)
        scaled: Tensor = scale(images, factor, mode=_mode(images), padding_mode="reflection")
        return scaled


class Elastic(RandomChange):
    """Displace the points of a coarse grid at random, and the pixels between them smoothly.

    Args:
        probability: Probability of a change, per image.
        displacement: Range of the standard deviation of the points' displacements along each axis,
            as a fraction of the shorter side.
        control_points: Rows and columns of the grid, whose outer points lie on the border.
    """

    moves_pixels = True

    def __init__(
        self,
        probability: float,
        displacement: tuple[float, float],
        control_points: tuple[int, int],
    ) -> None:
        super().__init__(probability, displacement)
        self.control_points = control_points

    def draw(self, count: int) -> Tensor:
        """Draw the points' displacements, (count, 2, rows, columns), x first."""
        # On the CPU, so that they are the same for every device and image size.
        moves = torch.randn(count, 2, *self.control_points, device="cpu")
        return moves * super().draw(count).view(-1, 1, 1, 1)

    def change(self, images: Tensor, drawn: Tensor) -> Tensor:
        """Sample every pixel at its displaced position."""
        height, width = images.shape[-2:]
        side = min(height, width)
        # grid_sample counts an axis from -1 to 1
        unit = torch.tensor([2 * side / width, 2 * side / height], device="cpu").view(1, 2, 1, 1)
        moves = (drawn * unit).to(images.device, non_blocking=True)
        moves = F.interpolate(moves, size=(height, width), mode="bicubic", align_corners=True)
        still = torch.eye(2, 3, device=images.device)[None]
        grid = F.affine_grid(still, [1, 1, height, width], align_corners=False)
        return F.grid_sample(
            images,
            grid + moves.permute(0, 2, 3, 1),
            mode=_mode(images),
            padding_mode="reflection",
            align_corners=False,
        )


def _mode(images: Tensor) -> str:
    """Return the interpolation; masks, which have one channel, stay in {0, 1}."""
    return "nearest" if images.shape[1] == 1 else "bilinear"
