"""Changes that move pixels, of image and mask alike."""

import torch
from torch import Tensor
from torch.nn import functional as F

from lesionseg.data.transforms.base import RandomChange


class Flip(RandomChange):
    """Mirrors along an axis."""

    moves_pixels = True

    def __init__(self, probability: float, axis: int) -> None:
        super().__init__(probability)
        self.axis = axis

    def change(self, images: Tensor, drawn: Tensor) -> Tensor:
        """Mirror."""
        return images.flip(self.axis)


class Transposition(RandomChange):
    """Swap rows and columns of square images; images that are not square stay as they are."""

    moves_pixels = True

    def change(self, images: Tensor, drawn: Tensor) -> Tensor:
        """Transpose."""
        height, width = images.shape[-2:]
        return images.transpose(-2, -1).contiguous() if height == width else images


class Translation(RandomChange):
    """Move an image along both axes, each by a share of its side.

    Args:
        probability: Of a move, per image.
        most: The largest move along each axis, in shares of height and width.
    """

    moves_pixels = True

    def __init__(self, probability: float, most: float) -> None:
        super().__init__(probability)
        self.most = most

    def draw(self, count: int) -> Tensor:
        """Draw the moves, (count, 2), along x and y."""
        return torch.empty(count, 2, device="cpu").uniform_(-self.most, self.most)

    def change(self, images: Tensor, drawn: Tensor) -> Tensor:
        """Move the content, to the right and down where a move is positive."""
        moves = drawn.to(images.device, non_blocking=True)
        matrix = torch.eye(2, 3, device=images.device).repeat(len(images), 1, 1)
        matrix[:, :, 2] = -2 * moves  # grid_sample counts an axis from -1 to 1
        grid = F.affine_grid(matrix, list(images.shape), align_corners=False)
        return F.grid_sample(
            images, grid, mode=_mode(images), padding_mode="reflection", align_corners=False
        )


class Rotation(RandomChange):
    """Turns about the centre by degrees from ``low_high``."""

    moves_pixels = True

    def change(self, images: Tensor, drawn: Tensor) -> Tensor:
        """Turn counter-clockwise."""
        from kornia.geometry.transform import rotate  # a second to import: not for every command

        angle = drawn.to(images.device, non_blocking=True)
        turned: Tensor = rotate(images, angle, mode=_mode(images), padding_mode="reflection")
        return turned


class Scale(RandomChange):
    """Enlarges or shrinks about the centre by a factor from ``low_high``."""

    moves_pixels = True

    def change(self, images: Tensor, drawn: Tensor) -> Tensor:
        """Enlarge or shrink."""
        from kornia.geometry.transform import scale

        factor = drawn.to(images.device, non_blocking=True)[:, None].expand(-1, 2)
        scaled: Tensor = scale(images, factor, mode=_mode(images), padding_mode="reflection")
        return scaled


class Elastic(RandomChange):
    """Moves the points of a coarse grid at random, and everything between them smoothly.

    Args:
        probability: of a change, per image.
        displacement: range of the standard deviation of the points' moves along each axis, in
            shares of the shorter side.
        control_points: rows and columns of the grid, whose outer points lie on the border.
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
        """Draw the points' moves, (count, 2, rows, columns), first along x."""
        # Few numbers: drawn on the CPU they are the same for every device and image size.
        moves = torch.randn(count, 2, *self.control_points, device="cpu")
        return moves * super().draw(count).view(-1, 1, 1, 1)

    def change(self, images: Tensor, drawn: Tensor) -> Tensor:
        """Fetch every pixel from where its displacement points to."""
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
    """Masks, which have one channel, stay in {0, 1}."""
    return "nearest" if images.shape[1] == 1 else "bilinear"
