"""Flips, gamma and CLAHE: ours on the device, kornia's there, torchvision's in workers."""

from __future__ import annotations

import argparse
import random
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import kornia
import measure
import torch
from torch import Tensor, nn
from torch.utils.data import DataLoader, Dataset, default_collate
from torchvision.transforms import v2
from torchvision.tv_tensors import Image, Mask

from lesionseg.data import Augmentation, SyntheticLesions, clahe, read_image, resize_image

try:
    import cv2
except ImportError:
    cv2 = None

DATA = Path(__file__).resolve().parents[2] / "shared" / "data"
PHOTOGRAPHS = (
    DATA / "isic2018-128px" / "ISIC2018_Task1-2_Validation_Input",
    DATA / "isic2017-256px" / "ISIC-2017_Validation_Data",
)
KORNIA = "with kornia's transforms"
WORKERS = 2
CLIP_LIMITS = (1.0, 2.0, 4.0)
ALL = ("horizontal_flip", "vertical_flip", "gamma", "clahe")

Pair = tuple[Tensor, Tensor]
Change = Callable[[Tensor, Tensor], Pair]


class Pairs(Dataset[Pair]):
    """Images and masks in memory, uint8, changed as they are taken."""

    def __init__(self, images: Tensor, masks: Tensor, length: int, change: Change | None) -> None:
        self.images, self.masks, self.length, self.change = images, masks, length, change

    def __len__(self) -> int:
        return self.length

    def __getitem__(self, index: int) -> Pair:
        image = self.images[index % len(self.images)]
        mask = self.masks[index % len(self.masks)]
        if self.change is not None:
            image, mask = self.change(Image(image), Mask(mask))
        return image.as_subclass(Tensor), mask.as_subclass(Tensor)


def torchvision_gamma(image: Image) -> Image:
    """The exponent is drawn anew for each image, as no transform of torchvision does it."""
    return v2.functional.adjust_gamma(image, random.uniform(0.7, 1.5))


def opencv_clahe(image: Tensor, clip_limit: float) -> Tensor:
    """OpenCV's, on each channel of a uint8 image; torchvision has none."""
    equalise = cv2.createCLAHE(clip_limit, (8, 8))
    return torch.stack([torch.from_numpy(equalise.apply(plane)) for plane in image.numpy()])


def torchvision_clahe(image: Image) -> Image:
    """OpenCV's with a limit that is drawn anew for each image."""
    return Image(opencv_clahe(image, random.uniform(1, 4)))


def torchvision(names: tuple[str, ...]) -> Change:
    """The same transforms from torchvision v2."""
    makers = {
        "horizontal_flip": v2.RandomHorizontalFlip(),
        "vertical_flip": v2.RandomVerticalFlip(),
        "gamma": v2.RandomApply([v2.Lambda(torchvision_gamma, Image)]),
        "clahe": v2.RandomApply([v2.Lambda(torchvision_clahe, Image)]),
    }
    change: Change = v2.Compose([makers[name] for name in names])
    return change


def with_kornia(names: tuple[str, ...]) -> Change:
    """The same transforms from kornia, in float32, and a result in [0, 1]."""
    makers: dict[str, Callable[[], nn.Module]] = {
        "horizontal_flip": kornia.augmentation.RandomHorizontalFlip,
        "vertical_flip": kornia.augmentation.RandomVerticalFlip,
        "gamma": lambda: kornia.augmentation.RandomGamma((0.7, 1.5), p=0.5),
        "clahe": lambda: kornia.augmentation.RandomClahe((1.0, 4.0), (8, 8), p=0.5),
    }
    change = kornia.augmentation.AugmentationSequential(
        *(makers[name]() for name in names), data_keys=["input", "mask"]
    )

    @torch.no_grad()
    def changed(image: Tensor, mask: Tensor) -> Pair:
        image, mask = change(image, mask)
        return image.clamp(0, 1), mask

    return changed


def on_device(
    loader: DataLoader[Pair], device: torch.device, change: Change | None
) -> Callable[[], None]:
    """An epoch: batches go to the device, become float32 in [0, 1], and are changed there."""

    def epoch() -> None:
        for image, mask in loader:
            image = image.to(device).float() / 255
            mask = mask.to(device).float()
            if change is not None:
                change(image, mask)
        finish(device)

    return epoch


def finish(device: torch.device) -> None:
    """Wait for what the device still has to do."""
    if device.type == "cuda":
        torch.cuda.synchronize(device)


def one_thread(worker: int) -> None:
    """As PyTorch does for itself: a worker's OpenCV starts no threads of its own."""
    if cv2 is not None:
        cv2.setNumThreads(1)


def photographs(size: tuple[int, int], count: int) -> Tensor:
    """uint8 (count, 3, H, W): real lesions where they are at hand, drawn ones elsewhere."""
    folder = PHOTOGRAPHS[size[0] > 128]
    if paths := sorted(folder.glob("*.jpg"))[:count]:
        return torch.stack([resize_image(read_image(path), size) for path in paths])
    drawn = [sample["image"] for sample in SyntheticLesions(count, size)]
    return (torch.stack(drawn) * 255).round().to(torch.uint8)


def epochs(
    batch: int, size: tuple[int, int], batches: int, rounds: int
) -> Iterator[tuple[str, ...]]:
    """Rows: images per second through each way to load and change them, and how many times ours."""
    images = photographs(size, 64)
    masks = (images.float().mean(1, keepdim=True) < 128).to(torch.uint8)
    cpu = torch.device("cpu")

    def loader(change: Change | None, workers: int) -> DataLoader[Pair]:
        return DataLoader(
            Pairs(images, masks, batches * batch, change),
            batch,
            num_workers=workers,
            persistent_workers=workers > 0,
            worker_init_fn=one_thread,
            # a forked worker would wait for ever for OpenCV's threads, which stay behind
            multiprocessing_context="spawn" if workers else None,
        )

    devices = [cpu, *([torch.device("cuda")] if torch.cuda.is_available() else [])]
    contestants: dict[str, Callable[[], object]] = {}
    for device in devices:
        contestants[f"ours, on the {device.type}"] = on_device(
            loader(None, 0), device, Augmentation(ALL)
        )
        contestants[f"kornia, on the {device.type}"] = on_device(
            loader(None, 0), device, with_kornia(ALL)
        )
    if cv2 is not None:
        for workers in (WORKERS, 0):
            where = f"in {workers} workers" if workers else "in the same process"
            contestants[f"torchvision v2, {where}"] = on_device(
                loader(torchvision(ALL), workers), cpu, None
            )
    contestants["nothing changed"] = on_device(loader(None, 0), cpu, None)
    seconds = measure.in_turn(contestants, rounds)
    ours = seconds["ours, on the cpu"]
    for name, taken in seconds.items():
        yield (
            f"{batch} of {size[0]} x {size[1]}",
            name,
            f"{batches * batch / measure.median(taken):.0f}",
            measure.spread([one / batches for one in taken]),
            measure.ratio(taken, ours),
        )


def singles(
    batch: int, size: tuple[int, int], batches: int, rounds: int
) -> Iterator[tuple[str, ...]]:
    """Rows: one transform by itself, on one batch that is ready, in one process."""
    images = photographs(size, batch)
    masks = (images.float().mean(1, keepdim=True) < 128).to(torch.uint8)
    image, mask = images.float() / 255, masks.float()

    def repeat(work: Callable[[], object]) -> None:
        for _ in range(batches):
            work()

    def one_by_one(change: Change) -> object:
        pairs = zip(images, masks, strict=True)
        return default_collate([change(Image(one), Mask(its)) for one, its in pairs])

    for name in (*ALL, "clahe of every image"):
        works: dict[str, Callable[[], object]]
        if name in ALL:
            works = {
                "ours": partial(Augmentation([name]), image, mask),
                "kornia": partial(with_kornia((name,)), image, mask),
                "torchvision": partial(one_by_one, torchvision((name,))),
            }
        else:
            works = {
                "ours": partial(clahe, image, 2.0),
                "kornia": partial(kornia.enhance.equalize_clahe, image, 2.0, (8, 8)),
                "torchvision": lambda: [opencv_clahe(one, 2.0) for one in images],
            }
        if cv2 is None and name not in ALL[:-1]:
            del works["torchvision"]
        seconds = measure.in_turn(
            {who: partial(repeat, work) for who, work in works.items()}, rounds
        )
        cells = {
            who: measure.spread([one / batches for one in taken]) for who, taken in seconds.items()
        }
        yield (
            f"{batch} of {size[0]} x {size[1]}",
            name,
            *(cells.get(who, "") for who in ("ours", "kornia", "torchvision")),
            measure.ratio(seconds["kornia"], seconds["ours"]),
            measure.ratio(seconds["torchvision"], seconds["ours"]) if len(works) > 2 else "",
        )


def differences(size: tuple[int, int], count: int) -> Iterator[tuple[str, ...]]:
    """Rows: gray levels between each CLAHE and OpenCV's."""
    images = photographs(size, count)
    image = images.float() / 255
    for limit in CLIP_LIMITS:
        theirs = torch.stack([opencv_clahe(one, limit) for one in images]).float()
        made = {
            "ours": clahe(image, limit),
            "kornia": kornia.enhance.equalize_clahe(image, limit, (8, 8)),
        }
        for name, result in made.items():
            apart = ((result * 255).round() - theirs).abs()
            yield (
                f"{size[0]} x {size[1]}",
                f"{limit:g}",
                name,
                f"{apart.max():.0f}",
                f"{apart.mean():.3f}",
                f"{100 * (apart > 0).float().mean():.1f} %",
            )


def main(options: argparse.Namespace) -> None:
    """Print the tables."""
    random.seed(0)
    torch.manual_seed(0)
    cases = [(8, (128, 128)), (12, (192, 256))]
    batches = 40
    if options.small:
        cases, batches = [(2, (32, 48))], 2
    if cv2 is None:
        print("OpenCV is not installed: without torchvision's CLAHE and the differences from it.")
    elif torch.get_num_threads() == 1:
        cv2.setNumThreads(1)
    real = all(folder.is_dir() for folder in PHOTOGRAPHS)
    notes = [
        f"The images are {'ISIC' if real else 'drawn'} ones, 8-bit, in memory.",
        f"OpenCV {cv2.__version__}" if cv2 is not None else "Without OpenCV.",
    ]
    rows = [row for case in cases for row in epochs(*case, batches, options.rounds)]
    header = ("batch", "flips, gamma and CLAHE", "images per second", "ms per batch", "times ours")
    measure.report("augmentation", header, rows, options, notes)
    rows = [row for case in cases for row in singles(*case, batches, options.rounds)]
    header = (
        "batch",
        "transform",
        "ours, ms",
        "kornia, ms",
        "torchvision, ms",
        "kornia / ours",
        "torchvision / ours",
    )
    measure.report("augmentation-single", header, rows, options, notes)
    if cv2 is not None:
        # 100 x 130 pixels do not divide by 8 x 8 tiles.
        sizes = [*(size for _, size in cases), (100, 130)]
        rows = [row for size in sizes for row in differences(size, 4 if options.small else 50)]
        header = ("size", "clip limit", "CLAHE", "most levels", "mean levels", "pixels that differ")
        measure.report("clahe", header, rows, options, notes)


if __name__ == "__main__":
    main(measure.arguments("Compare augmentation.", rounds=7).parse_args())
