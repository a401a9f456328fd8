"""Time reading large JPEGs at the network's size, by scaled decoding and by the usual readers.

``--source IMAGES MASKS`` names folders of photographs and masks, such as those of ISIC 2016.
Without it, synthetic lesions are used, which are smoother than skin. All are resized to six
megapixels.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
from measure import arguments, in_turn, median, ratio, report, spread
from photographs import MEGAPIXELS, photographs
from PIL import Image

from lesionseg.data import PairedDataset, read_resized

Read = Callable[[Path, tuple[int, int]], np.ndarray]


def pillow(path: Path, size: tuple[int, int]) -> np.ndarray:
    """Decode, convert and resize in full."""
    image = Image.open(path).convert("RGB")
    return np.asarray(image.resize(size[::-1], Image.Resampling.BILINEAR))


def ours(path: Path, size: tuple[int, int]) -> np.ndarray:
    return read_resized(path, size)[0].permute(1, 2, 0).numpy()


def torchvision_reader() -> Read:
    from torchvision.io import decode_image
    from torchvision.transforms.v2.functional import resize

    def read(path: Path, size: tuple[int, int]) -> np.ndarray:
        return resize(decode_image(str(path), "RGB"), list(size)).permute(1, 2, 0).numpy()

    return read


def opencv_reader() -> Read | None:
    try:
        import cv2
    except ImportError:
        print("OpenCV is not installed; its row is left out.")
        return None
    cv2.setNumThreads(1)

    def read(path: Path, size: tuple[int, int]) -> np.ndarray:
        pixels = cv2.cvtColor(cv2.imread(str(path)), cv2.COLOR_BGR2RGB)
        return cv2.resize(pixels, size[::-1], interpolation=cv2.INTER_AREA)

    return read


def masks_as_before(path: Path, size: tuple[int, int]) -> np.ndarray:
    """Decoding and Pillow's own antialiased resize, with a threshold."""
    mask = Image.open(path).convert("L")
    return np.asarray(mask.resize(size[::-1], Image.Resampling.BILINEAR)) >= 128


def main() -> None:
    parser = arguments(__doc__.splitlines()[0], rounds=5)
    parser.add_argument("--source", nargs=2, metavar=("IMAGES", "MASKS"))
    options = parser.parse_args()
    megapixels, count = (0.3, 2) if options.small else (MEGAPIXELS, 12)
    sizes = [(48, 64)] if options.small else [(192, 256), (128, 128)]
    readers: dict[str, Read | None] = {
        "Pillow, full decode and resize": pillow,
        "torchvision, full decode and resize": torchvision_reader(),
        "OpenCV, full decode and area resize": opencv_reader(),
        "lesionseg": ours,
    }
    rows = []
    with tempfile.TemporaryDirectory() as temporary:
        pairs = photographs(Path(temporary), count, megapixels, options.source)
        weight = sum(pair.image.stat().st_size for pair in pairs) / len(pairs) / 1e6
        for size in sizes:
            contestants = {
                name: lambda read=read, size=size: [read(pair.image, size) for pair in pairs]
                for name, read in readers.items()
                if read is not None
            }
            full = [pillow(pair.image, size).astype(int) for pair in pairs]
            times = in_turn(contestants, options.rounds)
            for name, work in contestants.items():
                errors = [np.abs(a - b).mean() for a, b in zip(work(), full, strict=True)]
                rows.append(
                    [
                        f"{size[0]} x {size[1]}",
                        name,
                        spread([seconds / count for seconds in times[name]]),
                        f"{count / median(times[name]):.0f}",
                        ratio(times["Pillow, full decode and resize"], times[name]),
                        f"{np.mean(errors):.2f}",
                        f"{max(errors):.2f}",
                    ]
                )
            data = PairedDataset(pairs, size)
            both = in_turn(
                {
                    "image and mask, Pillow": lambda size=size: [
                        (pillow(pair.image, size), masks_as_before(pair.mask, size))
                        for pair in pairs
                    ],
                    "image and mask, lesionseg": lambda data=data: [
                        data[index] for index in range(count)
                    ],
                },
                options.rounds,
            )
            for name, seconds in both.items():
                rows.append(
                    [
                        f"{size[0]} x {size[1]}",
                        name,
                        spread([each / count for each in seconds]),
                        f"{count / median(seconds):.0f}",
                        ratio(both["image and mask, Pillow"], seconds),
                        "",
                        "",
                    ]
                )
    report(
        "first_epoch",
        [
            "size",
            "reader",
            "ms per image",
            "images per second",
            "speedup over Pillow",
            "gray levels from Pillow, mean",
            "largest mean of an image",
        ],
        rows,
        options,
        [
            f"{count} JPEGs of {megapixels:g} megapixels, {weight:.2f} MB each, "
            f"{'photographs' if options.source else 'synthetic lesions'}, a single process."
        ],
    )


if __name__ == "__main__":
    main()
