"""Write the report of runs as one HTML page: no script, no other file, no network."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
from markupsafe import Markup

from lesionseg.errors import InvalidDataError
from lesionseg.files import atomic_path
from lesionseg.inspection.page import render_template
from lesionseg.inspection.tables import Table
from lesionseg.metrics.bootstrap import bootstrap_interval
from lesionseg.metrics.official import SCORE_NAMES
from lesionseg.report.images import (
    Row,
    UnavailableError,
    areas_of,
    describe_all,
    draw_extremes,
    open_images,
)
from lesionseg.report.kinds import scores_by_kind
from lesionseg.report.plots import (
    draw_comparison,
    draw_curves,
    draw_distribution,
    draw_lines,
    draw_reliability,
)
from lesionseg.report.run_data import RunData, ScoredTest, read_run
from lesionseg.report.settings import differing_settings, fit_settings, test_settings
from lesionseg.scoring.comparison_table import compare_with_first


class Part(NamedTuple):
    """A part of a section.

    Attributes:
        title: Heading; empty for none.
        note: Sentence.
        table: Table without rows if there is none.
        plots: Plots from left to right.
        pictures: Rows of pictures.
        warning: Sentence about what is absent.
        folded: Whether the table is shown after a click only.
    """

    title: str
    note: str = ""
    table: Table = Table((), ())
    plots: Sequence[Markup] = ()
    pictures: Sequence[Row] = ()
    warning: str = ""
    folded: bool = False


class Section(NamedTuple):
    """A section of the page."""

    title: str
    parts: Sequence[Part]


def write_report(
    runs: Sequence[str | Path],
    path: str | Path,
    *,
    test: str | None = None,
    score: str = "jaccard",
    images: int = 6,
    common: bool = False,
    seed: int = 0,
) -> None:
    """Write the report of runs, whole or not at all.

    Args:
        runs: For each run its folder, the folder of a test, or a CSV file of
            ``lesionseg score --csv``.
        path: HTML file.
        test: Name of the test, such as ``isic2018-val``; None for all tests.
        score: Score that is compared, one of :data:`lesionseg.metrics.SCORE_NAMES`.
        images: Number of best and of worst images of each test; 0 does not read any image, so that
            scores by contact with the border and by contrast are left out.
        common: Whether to compare only the images that all runs have; otherwise the runs must have
            the same.
        seed: Seed of the intervals of the comparison.

    Raises:
        DatasetNotFoundError: If a path is not of a run, or has no test of this name.
        InvalidDataError: If a file of a run is damaged.
        ValueError: If an argument is out of range.

    Example:
        >>> import tempfile
        >>> import numpy as np
        >>> from lesionseg.metrics import ScoreTable
        >>> from lesionseg.report import write_report
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     scores = Path(folder, "unet.csv")
        ...     ScoreTable(["a"], np.array([[6, 2, 2, 90]])).to_csv(scores)
        ...     write_report([scores], Path(folder, "report.html"))
        ...     Path(folder, "report.html").read_text().startswith("<!DOCTYPE html>")
        True
    """
    if not runs:
        raise ValueError("expected runs to be at least one path, got none")
    if score not in SCORE_NAMES:
        raise ValueError(f"expected score to be one of {', '.join(SCORE_NAMES)}, got {score!r}")
    if images < 0:
        raise ValueError(f"expected images to be at least 0, got {images}")
    found = [read_run(Path(run), test) for run in runs]
    sections = [Section("Comparison", _compare(found, score, common, seed))] if runs[1:] else []
    sections += [_section(run, score, images) for run in found]
    names = ", ".join(run.name for run in found)
    title = f"Report of {names if len(found) < 3 else f'{len(found)} runs'}"
    text = render_template("report/page.html.jinja", title=title, sections=sections)
    with atomic_path(path) as unfinished:
        unfinished.write_text(text, encoding="utf-8", errors="replace")


def _section(run: RunData, score: str, images: int) -> Section:
    parts = []
    settings = fit_settings(run.config)
    if settings.rows:
        parts.append(Part("Settings of the fit", table=settings, folded=True))
    elif run.path.is_dir():
        parts.append(Part("Settings of the fit", warning="The run has no config.yaml."))
    plots = draw_curves(run.curves)
    if plots:
        parts.append(Part("Training curves", plots=plots))
    elif run.path.is_dir():
        parts.append(
            Part("Training curves", warning="The run has no metrics.csv with curves of a fit.")
        )
    if not run.tests:
        checkpoint = run.path / "checkpoints" / "best.ckpt"
        parts.append(
            Part(
                "Scores",
                warning=f"The run was never tested; run lesionseg test --ckpt_path {checkpoint} "
                "with the --data of its test images.",
            )
        )
    for test in run.tests:
        parts += _test_parts(test, score, images)
    return Section(run.name, parts)


def _test_parts(test: ScoredTest, score: str, images: int) -> list[Part]:
    of = f" of {test.name}" if test.name else ""
    values = test.table.scores[score]
    parts = []
    if test.record is not None:
        parts.append(
            Part(f"Settings of the test{of}", table=test_settings(test.record), folded=True)
        )
    parts.append(
        Part(
            f"Scores{of}",
            f"{len(test.table)} image{'s' if len(test.table) > 1 else ''}; mean over images "
            "(official) with a 95 % bootstrap interval, and all pixels pooled (not official).",
            _score_table(test),
        )
    )
    parts.append(Part(f"Distribution{of}", plots=[draw_distribution({"": values}, _shown(score))]))
    described = areas_of(test.table)
    rows: list[Row] = []
    sentences: list[str] = []
    if images:
        try:
            dataset = open_images(test)
            rows, note = draw_extremes(test, dataset, images)
            sentences += [note] if note else []
            described = describe_all(test, dataset)
        except UnavailableError as error:
            sentences.append(str(error))
    if images:
        note = "Truth in green, prediction in red." if rows else ""
        warning = " ".join(sentences)
        if not rows:
            warning = f"No image is shown. {warning}"
            worst = ", ".join(test.table.worst(images))
            note = f"Images of lowest Jaccard index, the worst first: {worst}."
        parts.append(Part(f"Worst and best images{of}", note, pictures=rows, warning=warning))
    by_kind = scores_by_kind(dict(zip(test.table.ids, values.tolist(), strict=True)), described)
    parts.append(
        Part(
            f"Scores by lesion size, border contact and contrast{of}",
            "Lesion size and border contact are those of the truth; contrast is the distance in "
            "CIELAB between the mean colors inside and outside of the lesion."
            if any(entry.images for entry in by_kind[4:])
            else "Contact with the border and contrast need the images, which were not read.",
            Table(
                ("images", "number", _shown(score), "95 % interval"),
                tuple(
                    (
                        entry.kind.title,
                        f"{entry.images}",
                        f"{entry.mean:.3f}",
                        _interval(entry.interval),
                    )
                    for entry in by_kind
                    if entry.images
                ),
            ),
        )
    )
    if test.reliability:
        parts.append(_reliability(test, of))
    if test.extended:
        parts.append(Part(f"Further scores{of}", table=_extended_table(test.extended)))
    return parts


def _score_table(test: ScoredTest) -> Table:
    mean, pooled, std = test.table.summary(), test.table.summary("pooled"), test.table.std()
    rows = tuple(
        (
            _shown(name),
            f"{mean[name]:.4f}",
            _interval(test.table.interval(name), 4),
            f"{std[name]:.4f}",
            f"{pooled[name]:.4f}",
        )
        for name in SCORE_NAMES
    )
    return Table(("score", "mean", "95 % interval", "std", "pooled"), rows)


def _reliability(test: ScoredTest, of: str) -> Part:
    filled = [row for row in test.reliability if row["pixels"] > 0]
    pixels = sum(row["pixels"] for row in filled)
    error = sum(
        row["pixels"] * abs(row["mean_probability"] - row["lesion_fraction"]) for row in filled
    )
    rows = tuple(
        (
            f"{row['bin_low']:.2f} to {row['bin_high']:.2f}",
            f"{row['pixels']:.0f}",
            f"{row['mean_probability']:.3f}",
            f"{row['lesion_fraction']:.3f}",
        )
        for row in filled
    )
    note = (
        "Of the pixels with a probability p, a share of p should be lesion (dashed). Expected "
        f"calibration error over these bins: {error / pixels if pixels else math.nan:.4f}."
    )
    header = ("probability", "pixels", "mean probability", "share of lesion")
    plots = [draw_reliability(test.reliability)] if filled else []
    return Part(f"Reliability{of}", note, Table(header, rows), plots)


def _extended_table(extended: Mapping[str, Sequence[float]]) -> Table:
    rows = []
    for name, column in extended.items():
        values = np.array(column, dtype=np.float64)
        values = values[np.isfinite(values)]
        if len(values):
            interval = _interval(bootstrap_interval(values), 4)
            rows.append((_shown(name), f"{values.mean():.4f}", interval, f"{len(values)}"))
    return Table(("score", "mean", "95 % interval", "images where it is finite"), tuple(rows))


def _compare(runs: Sequence[RunData], score: str, common: bool, seed: int) -> list[Part]:
    numbered = tuple((f"run {number}", run.name) for number, run in enumerate(runs, 1))
    parts = [Part("", table=Table(("", "run"), numbered))]
    labels = [label for label, _ in numbered]
    settings = differing_settings([run.config for run in runs], labels)
    if settings.rows:
        parts.append(Part("Settings that differ", table=settings))
    curves = {
        label: run.curves["val/jaccard"]
        for label, run in zip(labels, runs, strict=True)
        if "val/jaccard" in run.curves
    }
    if len(curves) > 1:
        plot = draw_lines(curves, "validation Jaccard", unit=True)
        parts.append(Part("Training curves", plots=[plot]))
    tested = [{test.name: test for test in run.tests} for run in runs]
    shared = set(tested[0]).intersection(*tested[1:])
    if not shared and all(len(run.tests) == 1 for run in runs):
        tested = [{"": run.tests[0]} for run in runs]  # of different names, such as CSV files
        shared = {""}
    if not shared:
        sentence = "The runs have no test in common, so there is no paired test."
        return [*parts, Part("Paired tests", warning=sentence)]
    for name in sorted(shared):
        tables = [tests[name].table for tests in tested]
        of = f" on {name}" if name else ""
        try:
            table = compare_with_first(labels, tables, score, common=common, seed=seed)
        except InvalidDataError as error:
            sentence = f"There is no paired test{of}: {error}"
            parts.append(Part(f"Paired tests{of}", warning=sentence))
            continue
        header, *rows = table.rows()
        values = {label: table.scores[score] for label, table in zip(labels, tables, strict=True)}
        parts.append(
            Part(
                f"Paired tests{of}",
                f"{_shown(score).capitalize()} of {len(table.comparisons[0])} images, difference "
                "from run 1 with its bootstrap interval; p of Wilcoxon's signed-rank test, and "
                "adjusted for the number of comparisons by Holm's method; number of images on "
                "which the run is better than, equal to or worse than run 1.",
                Table(tuple(header), tuple(map(tuple, rows))),
                [draw_comparison(table), draw_distribution(values, _shown(score))],
            )
        )
    return parts


def _interval(ends: tuple[float, float], digits: int = 3) -> str:
    return f"{ends[0]:.{digits}f} to {ends[1]:.{digits}f}"


def _shown(name: str) -> str:
    return name.replace("_", " ")
