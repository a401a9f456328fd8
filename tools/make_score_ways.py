"""Write the tables of docs/which-number.md and of calibration from the kept counts of each image.

    python tools/make_score_ways.py

Reads docs/results/released, which tools/score_released.py and tools/measure_calibration.py wrote.
"""

from __future__ import annotations

import csv
import json
from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np
import numpy.typing as npt
from make_model_pages import MODELS as PAGES
from make_model_pages import RELEASED, SETS, counts_of, read_rows

from lesionseg.metrics.official import pooled_scores, scores_from_counts

DOCS = RELEASED.parents[1]
#: Models of the tables and their runs; the runs of a recipe that differ in the seed only.
MODELS = {name: run for name, (run, _) in PAGES.items()}
SEEDS = {
    "asnet-lite": ("lite-0", "lite-1", "lite-2"),
    "mobilegan": ("mobilegan-fast-plain-0", "mobilegan-fast-plain-1"),
}

Counts = npt.NDArray[np.int64]


def counts(run: str, name: str, views: str = "none", postprocessing: str = "none") -> Counts:
    """Return the counts of a run on a set, (images, 4)."""
    rows = read_rows(RELEASED / "scores" / f"{run}.csv.gz")
    kept = (name, views, postprocessing)
    return counts_of(
        [row for row in rows if (row["set"], row["views"], row["postprocessing"]) == kept]
    )


def official(table: Counts, score: str = "jaccard") -> float:
    """Return the mean over images."""
    return float(scores_from_counts(table)[score].mean())


def with_background(table: Counts) -> float:
    """Return the mean over images of the mean of the Jaccard indices of lesion and background."""
    tp, fp, fn, tn = table.T
    background = scores_from_counts(np.stack([tn, fn, fp, tp], axis=1))["jaccard"]
    return float((scores_from_counts(table)["jaccard"] + background).mean() / 2)


def pooled_with_background(table: Counts) -> float:
    """Return the mean of the Jaccard indices of lesion and background of all pixels together."""
    return with_background(table.sum(axis=0, keepdims=True))


def kept_thresholds(model: str, name: str) -> dict[str, Counts]:
    """Return the counts of a model on a set by threshold, and at the network's size."""
    rows = [
        row
        for row in read_rows(RELEASED / "thresholds.csv.gz")
        if (row["model"], row["set"]) == (model, name)
    ]
    keys = dict.fromkeys(row["threshold"] for row in rows)
    return {key: counts_of([row for row in rows if row["threshold"] == key]) for key in keys}


def best_threshold(model: str, name: str) -> tuple[float, float]:
    """Return the threshold of the highest mean Jaccard on a set, and that Jaccard."""
    tried = kept_thresholds(model, name)
    means = {key: official(table) for key, table in tried.items() if key != "network"}
    best = max(means, key=lambda key: means[key])
    return float(best), means[best]


def epochs(run: str) -> list[float]:
    """Return the Jaccard index of each epoch on the held-out images, at the network's size."""
    with (RELEASED / f"{run}-metrics.csv").open(newline="") as file:
        return [float(row["val/jaccard"]) for row in csv.DictReader(file) if row["val/jaccard"]]


def ways(model: str, name: str) -> dict[str, float | None]:
    """Return the score of a model on a set in each way; None where it was not measured."""
    run = MODELS[model]
    table, flips = counts(run, name), counts(run, name, "flips")
    seeds = [official(counts(seed, name)) for seed in SEEDS[model]]
    tried = kept_thresholds(model, name)
    curve = epochs(run) if name == "held-out" else []
    best = max(seeds) - float(np.mean(seeds)) + official(table)
    values: dict[str, float | None] = {
        "**Jaccard, mean over images (official)**": official(table),
        "thresholded Jaccard, mean over images (ranks 2018)": official(table, "threshold_jaccard"),
        "Jaccard of all pixels pooled": pooled_scores(table)["jaccard"],
        "mIoU: lesion and background, mean over images": with_background(table),
        "mIoU: lesion and background, pooled": pooled_with_background(table),
        "Dice, mean over images": official(table, "dice"),
        "Dice of all pixels pooled": pooled_scores(table)["dice"],
        "Jaccard at the network's size": official(tried["network"]) if tried else None,
        "Jaccard, averaged over four flips": official(flips),
        "Jaccard, largest region only": official(counts(run, name, "none", "largest-region")),
        "Jaccard, threshold chosen on these images": (
            best_threshold(model, name)[1] if tried else None
        ),
        f"Jaccard, seed of {len(seeds)} chosen on these images (1)": best,
        "Jaccard, epoch chosen on these images (2)": (
            official(table) + max(curve) - curve[-1] if curve else None
        ),
        "Dice, pooled, with flips": pooled_scores(flips)["dice"],
    }
    return values


def ways_table(model: str) -> str:
    """Return the table of a model: each way on each set, with its difference in points."""
    sets = {name: ways(model, name) for name in SETS}
    lines = [
        "| how it is scored | " + " | ".join(SETS.values()) + " |",
        "| --- |" + " --- |" * len(SETS),
    ]
    first = next(iter(sets["held-out"]))
    for way in sets["held-out"]:
        cells = []
        for values in sets.values():
            value, base = values[way], values[first]
            assert base is not None
            if value is None:
                cells.append("")
            elif way == first:
                cells.append(f"**{100 * value:.1f}**")
            else:
                cells.append(f"{100 * value:.1f} ({100 * (value - base):+.1f})")
        lines.append(f"| {way} | " + " | ".join(cells) + " |")
    return "\n".join(lines)


def calibration_table() -> str:
    """Return the table of the calibration of the released models."""
    facts = json.loads((RELEASED / "calibration.json").read_text())
    rows = read_rows(RELEASED / "calibration-images.csv.gz")
    with (RELEASED / "calibration-bins.csv").open(newline="") as file:
        bins = list(csv.DictReader(file))
    lines = [
        "| model | set | temperature | threshold | calibration error, pooled | Brier score, pooled "
        "| Jaccard | thresholded Jaccard |",
        "| --- | --- | --- | --- | --- | --- | --- | --- |",
    ]
    for model, fact in facts.items():
        for name in ("held-out", "isic2018-val"):
            found = {
                stage: summary_of_calibration(
                    [row for row in rows if _is(row, model, name, stage)],
                    [row for row in bins if _is(row, model, name, stage)],
                )
                for stage in ("before", "after")
            }
            cells = [f"{found['before'][i]:.4f} → {found['after'][i]:.4f}" for i in range(4)]
            lines.append(
                f"| `{model}` | {SETS[name]} | {fact['temperature']:.3f} | "
                f"{fact['threshold']:.2f} | {' | '.join(cells)} |"
            )
    return "\n".join(lines)


def summary_of_calibration(
    rows: list[dict[str, str]], bins: list[dict[str, str]]
) -> tuple[float, float, float, float]:
    """Return pooled calibration error and Brier score, and the means of both Jaccard indices."""
    table = counts_of(rows)
    pixels = table.sum()
    gaps = sum(abs(float(row["probability_sum"]) - int(row["lesion"])) for row in bins)
    squares = sum(float(row["squared_error"]) for row in rows)
    scores = scores_from_counts(table)
    means = scores["jaccard"].mean(), scores["threshold_jaccard"].mean()
    return gaps / pixels, squares / pixels, float(means[0]), float(means[1])


def _is(row: Mapping[str, str], model: str, name: str, stage: str) -> bool:
    return (row["model"], row["set"], row["stage"]) == (model, name, stage)


TABLES: dict[Path, dict[str, Callable[[], str]]] = {
    DOCS / "which-number.md": {
        "asnet-lite": lambda: ways_table("asnet-lite"),
        "mobilegan": lambda: ways_table("mobilegan"),
    },
    DOCS / "score.md": {"calibration": calibration_table},
}


def replaced(text: str, mark: str, table: str) -> str:
    """Replace what lies between the marks of a table."""
    before, _, rest = text.partition(f"<!-- {mark} -->\n")
    _, found, after = rest.partition(f"<!-- /{mark} -->")
    if not found:
        raise SystemExit(f"there are no marks of the table {mark}")
    return f"{before}<!-- {mark} -->\n{table}\n<!-- /{mark} -->{after}"


def main() -> None:
    """Write all tables."""
    for path, tables in TABLES.items():
        text = path.read_text(encoding="utf-8")
        for mark, table in tables.items():
            text = replaced(text, mark, table())
        path.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
