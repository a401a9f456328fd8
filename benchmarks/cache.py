"""Later epochs: from the decode-once cache, and from what people use instead.

Prints three tables: epochs, private memory of four workers epoch by epoch, and cost by images.
``--source IMAGES MASKS`` names folders of real photographs and masks; synthetic lesions otherwise.
"""

from __future__ import annotations

import multiprocessing
import re
import tempfile
import time
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path

import torch
from measure import arguments, in_turn, median, ratio, report, spread
from photographs import MEGAPIXELS, photographs, repeated
from PIL import Image
from torch.utils.data import DataLoader, Dataset
from torchvision.io import decode_image
from torchvision.transforms.v2 import functional as v2

from lesionseg.data import PairedDataset, collate_samples

BATCH = 12


class TorchvisionDataset(Dataset):
    """A plain data set: decode, resize where needed, scale to [0, 1]."""

    def __init__(self, pairs, size):
        self.pairs, self.size = pairs, list(size)

    def __len__(self):
        return len(self.pairs)

    def __getitem__(self, index):
        pair = self.pairs[index]
        image = decode_image(str(pair.image), "RGB")
        mask = decode_image(str(pair.mask), "GRAY")
        if list(image.shape[-2:]) != self.size:
            image = v2.resize(image, self.size, antialias=True)
            mask = v2.resize(mask, self.size, antialias=True)
        return {"image": image.float() / 255, "mask": (mask > 128).float()}


def resized_files(data: PairedDataset, folder: Path, suffix: str):
    """Pairs of files at the network's size already, as many people prepare them by hand."""
    folder.mkdir()
    pairs = []
    for index, pair in enumerate(data.pairs):
        sample = data[index]
        image = folder / f"{index}{suffix}"
        mask = folder / f"{index}_mask.png"
        pixels = (sample["image"] * 255).round().byte().permute(1, 2, 0).numpy()
        Image.fromarray(pixels).save(image, **({"quality": 95} if suffix == ".jpg" else {}))
        Image.fromarray((sample["mask"][0] * 255).byte().numpy()).save(mask)
        pairs.append(pair._replace(image=image, mask=mask))
    return pairs


def monai_dataset(data: PairedDataset, folder: Path):
    try:
        from monai.data import PersistentDataset
        from monai.transforms import (
            Compose,
            EnsureChannelFirstd,
            LoadImaged,
            Resized,
            ScaleIntensityd,
        )
    except ImportError:
        print("MONAI is not installed; its row is left out.")
        return None
    keys = ["image", "mask"]
    steps = [
        LoadImaged(keys, reader="PILReader"),
        EnsureChannelFirstd(keys),
        # its anti_aliasing blurs all six megapixels in float32 first, for seconds an image
        Resized(keys, data.size, mode=["bilinear", "nearest"]),
        ScaleIntensityd(keys),
    ]
    # items of the same photograph are equal, so that each is decoded only once
    items = [{"image": str(pair.image), "mask": str(pair.mask)} for pair in data.pairs]
    return PersistentDataset(items, Compose(steps), folder)


def epoch(data, workers: int = 0, collate=None) -> Callable[[], None]:
    loader = DataLoader(
        data,
        BATCH,
        num_workers=workers,
        collate_fn=collate,
        persistent_workers=workers > 0,
    )

    def run() -> None:
        for batch in loader:
            assert batch["image"].dtype == torch.float32

    return run


def private_memory() -> list[float]:
    """Megabytes that this process and its workers have to themselves, and PSS of all, in sum."""
    workers = [worker.pid for worker in multiprocessing.active_children()]
    sums = {"Private_Dirty": 0, "Pss": 0}
    for process in ["self", *workers]:
        text = Path(f"/proc/{process}/smaps_rollup").read_text()
        for field in sums:
            found = re.search(rf"^{field}: *(\d+) kB", text, re.MULTILINE)
            sums[field] += int(found[1]) if found else 0
    return [value * 1024 / 1e6 for value in sums.values()]


def main() -> None:
    parser = arguments(__doc__.splitlines()[0], rounds=5)
    parser.add_argument("--source", nargs=2, metavar=("IMAGES", "MASKS"))
    options = parser.parse_args()
    small = options.small
    megapixels, count, times = (0.3, 2, 6) if small else (MEGAPIXELS, 12, 20)
    size = (48, 64) if small else (192, 256)
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        originals = PairedDataset(photographs(folder, count, megapixels, options.source), size)
        many = repeated(originals.pairs, times, size)
        cached = many.cached(folder / "cache")
        epochs(options, folder, originals, many, cached)
        memory(options, cached)
        growth(options, folder, originals, times)


def epochs(options, folder: Path, originals, many, cached) -> None:
    """What an image costs in an epoch."""
    size, count = originals.size, len(originals)
    first = "first epoch: lesionseg, from the photographs"
    later = "later epochs: lesionseg, cache"
    # a few photographs represent many: every epoch decodes them again
    contestants = {
        "every epoch: torchvision, from the photographs": (
            epoch(TorchvisionDataset(originals.pairs, size)),
            count,
        ),
        first: (epoch(originals, collate=collate_samples), count),
        later: (epoch(cached, collate=collate_samples), len(many)),
    }
    for suffix in (".png", ".jpg"):
        pairs = resized_files(originals, folder / suffix[1:], suffix)
        data = TorchvisionDataset(repeated(pairs, len(many) // count, size).pairs, size)
        contestants[f"later epochs: torchvision, {suffix[1:]} files resized before"] = (
            epoch(data),
            len(many),
        )
    monai = monai_dataset(many, folder / "monai")
    if monai is not None:
        name = "later epochs: MONAI PersistentDataset"
        contestants[name] = (epoch(monai), len(many))
    measured = in_turn({name: work for name, (work, _) in contestants.items()}, options.rounds)
    seconds = {
        name: [value / contestants[name][1] for value in values]
        for name, values in measured.items()
    }
    rows = [
        [
            name,
            spread(values),
            f"{1 / median(values):.0f}",
            ratio(values, seconds[later]),
        ]
        for name, values in seconds.items()
    ]
    notes = [
        f"{len(many)} images at {size[0]} x {size[1]} with masks, float32 batches of {BATCH}, in "
        f"the main process; {count} photographs are read where an epoch decodes them."
    ]
    if monai is not None:
        notes.append(f"MONAI {version('monai')}, which keeps a file for each image.")
    header = ["epoch", "ms per image", "images per second", "relative to cache"]
    report("cache", header, rows, options, notes)


def memory(options, cached) -> None:
    """Memory of four workers, epoch after epoch."""
    run = epoch(cached, workers=2 if options.small else 4, collate=collate_samples)
    rows = []
    for number in range(2 if options.small else 6):
        run()
        private, proportional = private_memory()
        rows.append([str(number + 1), f"{private:.0f}", f"{proportional:.0f}"])
    report(
        "cache_memory",
        ["epoch", "private memory, MB", "proportional memory (PSS), MB"],
        rows,
        options,
        ["Main process and workers together; PSS counts each shared page once."],
    )


def growth(options, folder: Path, originals, times: int) -> None:
    """Building and reading, by the number of images."""
    rows = []
    for part in (1, 2, 4):
        data = repeated(originals.pairs, max(times * part // 8, 1), originals.size)
        start = time.perf_counter()
        cached = data.cached(folder / "growth")
        built = time.perf_counter() - start
        start = time.perf_counter()
        data.cached(folder / "growth")
        opened = time.perf_counter() - start
        run = epoch(cached, collate=collate_samples)
        read = in_turn({"read": run}, options.rounds)["read"]
        store = sum(path.stat().st_size for path in (folder / "growth").rglob("*.store"))
        rows.append(
            [
                str(len(data)),
                f"{1e3 * built / len(data):.1f}",
                f"{1e3 * opened:.1f}",
                f"{1e3 * median(read) / len(data):.3f}",
                f"{store / len(data) / 1e3:.0f}",
            ]
        )
        for path in (folder / "growth").rglob("*.store"):
            path.unlink()
    report(
        "cache_growth",
        ["images", "build, ms per image", "open, ms", "read, ms per image", "disk, kB per image"],
        rows,
        options,
    )


if __name__ == "__main__":
    main()
