"""Make the tables and pictures of the released models: their pages, README and docs/pretrained.md.

    python tools/make_model_pages.py [--tests DIR]

The tables come from the counts in docs/results/released and from docs/benchmarks/pretrained.json.
With ``--tests``, the folder of ISIC 2018,
the sheets of best, median and worst validation images are drawn anew.
"""

from __future__ import annotations

import argparse
import csv
import gzip
import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from make_pretrained import write_tables

from lesionseg.metrics.bootstrap import bootstrap_interval
from lesionseg.metrics.official import GRAY_THRESHOLD, pooled_scores, scores_from_counts
from lesionseg.report import LesionDescription, scores_by_kind

ROOT = Path(__file__).resolve().parents[1]
RELEASED = ROOT / "docs" / "results" / "released"
IMAGES = ROOT / "docs" / "images"
#: Released models with the run that they are of and the page that describes them.
MODELS = {
    "asnet-lite": ("lite-2", "asnet-lite.md"),
    "mobilegan": ("mobilegan-fast-plain-0", "mobilegan-trained.md"),
    "mobilegan-distilled": ("mobilegan-distilled-1", "mobilegan-distilled.md"),
}
#: Rows of the comparison: title, run, and row of benchmarks/pretrained.py.
COMPARED = (
    ("`asnet-lite`", "lite-2", "asnet-lite"),
    ("`mobilegan`", "mobilegan-fast-plain-0", "mobilegan"),
    ("U-Net, EfficientNet-Lite0", "unet-lite0", "U-Net, EfficientNet-Lite0"),
    ("U-Net, MobileNetV2", "unet-mobilenetv2", "U-Net, MobileNetV2"),
)
SETS = {
    "held-out": "held-out",
    "isic2018-val": "2018 validation",
    "isic2017-test": "2017 test",
}


def read_rows(path: Path) -> list[dict[str, str]]:
    """Read a compressed CSV file."""
    with gzip.open(path, "rt", newline="") as file:
        return list(csv.DictReader(file))


def counted(run: str) -> list[dict[str, str]]:
    """Return the rows of a run's images, with one view and no post-processing."""
    rows = read_rows(RELEASED / "scores" / f"{run}.csv.gz")
    return [row for row in rows if row["views"] == row["postprocessing"] == "none"]


def counts_of(rows: Sequence[Mapping[str, str]]) -> npt.NDArray[np.int64]:
    """Return the counts of rows, (N, 4)."""
    return np.array([[int(row[key]) for key in ("tp", "fp", "fn", "tn")] for row in rows])


def scores_of(run: str) -> dict[tuple[str, str], dict[str, float]]:
    """Return the official scores of each image of a run, by set and id."""
    rows = counted(run)
    scores = scores_from_counts(counts_of(rows))
    return {
        (row["set"], row["id"]): {name: float(values[index]) for name, values in scores.items()}
        for index, row in enumerate(rows)
    }


def kinds_table(run: str) -> str:
    """The scores of a run by lesion size, contact with the border and contrast."""
    scores = scores_of(run)
    found = {}
    for name in SETS:
        lesions = {
            row["id"]: LesionDescription(
                float(row["area"]), row["touches_border"] == "1", float(row["contrast"])
            )
            for row in read_rows(RELEASED / "images.csv.gz")
            if row["set"] == name
        }
        jaccard = {image: scores[name, image]["jaccard"] for image in lesions}
        found[name] = scores_by_kind(jaccard, lesions)
    lines = [
        f"| images | {' | '.join(f'{title}: n | Jaccard' for title in SETS.values())} |",
        "| --- |" + " --- |" * 2 * len(SETS),
    ]
    for entries in zip(*found.values(), strict=True):
        cells = [entries[0].kind.title]
        for entry in entries:
            low, high = entry.interval
            cells += [str(entry.images), f"{entry.mean:.3f} ({low:.3f} to {high:.3f})"]
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)


def score_table(name: str) -> str:
    """All scores of a model, from its card."""
    card: Mapping[str, Any] = json.loads(
        (ROOT / "lesionseg" / "weights" / name / "card.json").read_text(encoding="utf-8")
    )
    lines = [
        "| set | views | region | Jaccard | thresholded | Dice | accuracy | sensitivity "
        "| specificity | pooled Jaccard |",
        "| --- |" + " --- |" * 9,
    ]
    for row in card["scores"]:
        low, high = row["intervals"]["jaccard"]
        mean = row["per_image"]
        cells = [
            SETS[row["set"]],
            {"none": "1", "flips": "4 flips"}[row["views"]],
            {"none": "all", "largest-region": "largest"}[row["postprocessing"]],
            f"{mean['jaccard']:.4f} ({low:.4f} to {high:.4f})",
            *(
                f"{mean[score]:.4f}"
                for score in (
                    "threshold_jaccard",
                    "dice",
                    "accuracy",
                    "sensitivity",
                    "specificity",
                )
            ),
            f"{row['pooled']['jaccard']:.4f}",
        ]
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)


def timed() -> dict[str, dict[str, str]]:
    """Return the rows of benchmarks/pretrained.py by their networks."""
    path = ROOT / "docs" / "benchmarks" / "pretrained.json"
    saved = json.loads(path.read_text(encoding="utf-8"))
    return {row[0]: dict(zip(saved["header"], row, strict=True)) for row in saved["rows"]}


def chosen_counts(run: str, name: str) -> npt.NDArray[np.int64]:
    """Return the counts of a run's images of a set."""
    return counts_of([row for row in counted(run) if row["set"] == name])


def shown(score: float) -> str:
    """Return a score with three digits."""
    return f"{float(score):.3f}"


def readme_table() -> str:
    """The comparison of the README: cost, and the Jaccard index of each set."""
    lines = [
        "| model | million parameters | billion MACs | ms on one core | image "
        f"| {' | '.join(SETS.values())} |",
        "| --- |" + " --- |" * (4 + len(SETS)),
    ]
    cost = timed()
    for title, run, network in COMPARED:
        row = cost[network]
        cells = [title, row["million parameters"], row["billion MACs"]]
        cells += [row["ms"].split()[0], row["image"]]
        for name in SETS:
            scores = scores_from_counts(chosen_counts(run, name))
            low, high = bootstrap_interval(scores["jaccard"])
            cells.append(
                f"{shown(scores['jaccard'].mean())} ± {(high - low) / 2:.3f} "
                f"/ {scores['threshold_jaccard'].mean():.3f}"
            )
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)


def comparison_table() -> str:
    """The comparison of docs/pretrained.md: all scores per image and pooled, set by set."""
    lines = [
        "| model | set | Jaccard | thresholded | Dice | pooled Jaccard | pooled Dice |",
        "| --- | --- | --- | --- | --- | --- | --- |",
    ]
    for title, run, _ in COMPARED:
        for name, part in SETS.items():
            counts = chosen_counts(run, name)
            scores, pooled = scores_from_counts(counts), pooled_scores(counts)
            cells = [title, part]
            for score in ("jaccard", "threshold_jaccard", "dice"):
                low, high = bootstrap_interval(scores[score])
                cells.append(f"{shown(scores[score].mean())} ({low:.3f} to {high:.3f})")
            cells += [f"{pooled['jaccard']:.3f}", f"{pooled['dice']:.3f}"]
            lines.append(f"| {' | '.join(cells)} |")
            title = ""
    return "\n".join(lines)


def worst_table(run: str, number: int = 10) -> str:
    """The images with the lowest Jaccard index of all sets."""
    described = {(row["set"], row["id"]): row for row in read_rows(RELEASED / "images.csv.gz")}
    ranked = sorted(scores_of(run).items(), key=lambda item: (item[1]["jaccard"], item[0]))
    lines = [
        "| image | set | Jaccard | lesion's share | touches the border | contrast |",
        "| --- | --- | --- | --- | --- | --- |",
    ]
    for (name, image), scores in ranked[:number]:
        row = described[name, image]
        border = "yes" if row["touches_border"] == "1" else "no"
        lines.append(
            f"| `{image}` | {SETS[name]} | {scores['jaccard']:.3f} | {float(row['area']):.3f} "
            f"| {border} | {row['contrast']} |"
        )
    return "\n".join(lines)


def curve(run: str) -> dict[str, list[tuple[int, float]]]:
    """Return a run's training loss and held-out scores by epoch."""
    with (RELEASED / f"{run}-metrics.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    columns = {name: f"val/{name}" for name in ("jaccard", "threshold_jaccard")}
    columns["loss"] = next(
        name for name in ("train/loss_epoch", "train/generator/loss_epoch") if name in rows[0]
    )
    return {
        name: [(int(row["epoch"]), float(row[column])) for row in rows if row[column]]
        for name, column in columns.items()
    }


def draw_curve(name: str, run: str) -> None:
    """Draw a run's training curve to docs/images/NAME-curve.png."""
    from matplotlib.figure import Figure

    points = curve(run)
    figure = Figure(figsize=(7.2, 3.2), layout="constrained")
    left, right = figure.subplots(1, 2)
    left.plot(*zip(*points["loss"], strict=True), color="tab:blue")
    left.set(xlabel="epoch", ylabel="training loss", yscale="log")
    for score, label in (("jaccard", "Jaccard"), ("threshold_jaccard", "thresholded")):
        right.plot(*zip(*points[score], strict=True), label=label)
    right.set(xlabel="epoch", ylabel="held-out score", ylim=(0, 1))
    right.legend(loc="lower right")
    for axes in (left, right):
        axes.grid(alpha=0.3)
    figure.savefig(IMAGES / f"{name}-curve.png", dpi=110)


def draw_sheet(name: str, run: str, tests: Path) -> None:
    """Draw the four best, median and worst validation images to docs/images/NAME-sheet.jpg."""
    from matplotlib.figure import Figure

    import lesionseg
    from lesionseg.data import ISICDataset

    scores = {
        image: row["jaccard"]
        for (part, image), row in scores_of(run).items()
        if part == "isic2018-val"
    }
    ranked = sorted(scores, key=lambda image: -scores[image])
    middle = len(ranked) // 2 - 2
    chosen = {
        "best": ranked[:4],
        "median": ranked[middle : middle + 4],
        "worst": ranked[-4:],
    }
    model = lesionseg.from_pretrained(name).eval()
    data = ISICDataset(tests, 2018, "val", model.size, True)
    positions = {data[index]["id"]: index for index in range(len(data))}
    figure = Figure(figsize=(8, 6.9), layout="constrained")
    for axes_row, (title, ids) in zip(figure.subplots(3, 4), chosen.items(), strict=True):
        for axes, image in zip(axes_row, ids, strict=True):
            sample = data[positions[image]]
            truth = sample["truth"].numpy() > GRAY_THRESHOLD
            found = lesionseg.segment(sample["image"], model).mask
            axes.imshow(sample["image"].permute(1, 2, 0).numpy(), extent=(0, 1, 1, 0))
            for mask, color in ((truth, "#00c853"), (found, "#ff1744")):
                steps = [(np.arange(size) + 0.5) / size for size in mask.shape[::-1]]
                axes.contour(*steps, mask, levels=[0.5], colors=color, linewidths=1.2)
            axes.set_title(f"{title}: {scores[image]:.2f}", fontsize=9)
            axes.axis("off")
    figure.savefig(IMAGES / f"{name}-sheet.jpg", dpi=100, pil_kwargs={"quality": 82})


def pages() -> Iterator[tuple[Path, dict[str, str]]]:
    """The pages with their tables, by the tables' marks."""
    yield ROOT / "README.md", {"models": readme_table()}
    yield ROOT / "docs" / "pretrained.md", {"comparison": comparison_table()}
    for name, (run, page) in MODELS.items():
        tables = {
            "scores": score_table(name),
            "kinds": kinds_table(run),
            "worst": worst_table(run),
        }
        yield ROOT / "docs" / "models" / page, tables


def main() -> None:
    """Make everything that the command line asks for."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--tests", type=Path, help="folder of ISIC 2018; draws the sheets")
    options = parser.parse_args()
    for name, (run, _) in MODELS.items():
        draw_curve(name, run)
        if options.tests is not None:
            draw_sheet(name, run, options.tests)
    for path, tables in pages():
        write_tables(path, tables)


if __name__ == "__main__":
    main()
