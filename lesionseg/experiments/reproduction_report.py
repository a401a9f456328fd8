"""A reproduced table as text, Markdown, CSV, JSON and plot: our scores and the quoted scores."""

from __future__ import annotations

import csv
import io
import json
import platform
import shlex
import textwrap
from collections.abc import Iterator, Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any

from lesionseg.experiments.fold_scores import markdown
from lesionseg.experiments.paper_table import PaperTable
from lesionseg.experiments.reproduction_plot import plot_table
from lesionseg.experiments.reproduction_results import Cell, Result, Section, sections
from lesionseg.files import atomic_path

_PACKAGES = ("lesionseg", "torch", "lightning", "torchvision", "kornia")


def report(table: PaperTable, cells: Sequence[Cell], folder: Path, settings: dict[str, Any]) -> str:
    """Write ``table.md``, ``.csv``, ``.json`` and ``.png``; return the table for a terminal.

    Args:
        table: Table of the paper.
        cells: Trained models; those without scores are left out.
        folder: Folder of the results.
        settings: Budget, recipes, rows, epochs and precision, for the files.
    """
    shown = list(sections(table, cells))
    quoted = list(dict.fromkeys(name for test in table.tests.values() for name in test.quoted))
    records = [record for section in shown for record in _records(section, quoted)]
    about = {
        **settings,
        "paper": table.paper,
        "differences": table.differences,
        "python": platform.python_version(),
        "versions": {name: version(name) for name in _PACKAGES},
    }
    text = io.StringIO()
    if records:
        writer = csv.DictWriter(text, list(records[0]), lineterminator="\n")
        writer.writeheader()
        writer.writerows(records)
    for suffix, content in (
        ("md", _markdown(table, shown, settings)),
        ("csv", text.getvalue()),
        ("json", json.dumps(about | {"results": records}, indent=2) + "\n"),
    ):
        with atomic_path(folder / f"table.{suffix}") as unfinished:
            unfinished.write_text(content, encoding="utf-8", newline="")
    if shown:
        plot_table(table, records, plot_caption(table, settings), folder / "table.png")
    return "\n\n".join(_render(table, section) for section in shown)


def plot_caption(table: PaperTable, settings: dict[str, Any]) -> str:
    """Return the title of the plot: how the rows were trained, and a warning for a quick budget.

    Args:
        table: Table of the paper.
        settings: Budget, recipes and epochs, as in ``table.json``.
    """
    lines = [
        line
        for recipe in settings["recipes"]
        for line in textwrap.wrap(f"Recipe {recipe}: {_protocol(table, recipe, settings)}", 90)
    ]
    if settings["budget"] == "quick":
        warning = "TINY BUDGET: shows that every row runs, not what the models can do."
        lines = [warning, "The quoted scores are of full trainings.", *lines]
    return "\n".join(lines)


def _records(section: Section, quoted: Sequence[str]) -> Iterator[dict[str, Any]]:
    """Yield a flat record for each row: all six scores, per image and pooled."""
    printed = section.test.quoted
    for result in section.results:
        low, high = result.table.interval(section.test.score)
        comparison = result.comparison
        yield {
            "recipe": section.recipe,
            "training": section.variant,
            "test": section.name,
            "row": result.row.name,
            "parameters": result.row.parameters(section.recipe),
            "quoted_million_parameters": result.row.quoted_parameters,
            "images": len(result.table),
            **{
                f"paper_{name}": result.row.quoted.get(name) if name in printed else None
                for name in quoted
            },
            **result.table.summary(),
            **{f"pooled_{name}": value for name, value in result.table.summary("pooled").items()},
            "score": section.test.score,
            "mean_over_folds": result.folds and result.folds.mean(section.test.score),
            "std_over_folds": result.folds and result.folds.std(section.test.score),
            "interval_low": low,
            "interval_high": high,
            "reference_minus_row": comparison and comparison.difference,
            "difference_low": comparison and comparison.interval[0],
            "difference_high": comparison and comparison.interval[1],
            "wilcoxon_p": comparison and comparison.p_value,
        }


def _render(table: PaperTable, section: Section) -> str:
    """Return a section in at most 80 columns."""
    test = section.test
    pooled = test.pooled
    names = max(len(row.name) for row in table.rows)
    ours = 7 if table.num_folds is None else 15
    lines = [
        f"{table.title}: {section.title}",
        *textwrap.wrap(f"{test.score} in percent; M: million parameters; {test.what}", 80),
        "",
        f"{'row':<{names}}{'M':>6}{'paper':>6}{'ours':>{ours}}{'pooled' if pooled else '':>7}"
        f" {f'{table.reference} - row [95 %], p':<26}".rstrip(),
    ]
    for result in section.results:
        quoted = result.row.quoted.get(test.score)
        lines.append(
            f"{result.row.name:<{names}}{_millions(result.row.parameters(section.recipe)):>6}"
            f"{'-' if quoted is None else f'{quoted:.2f}':>6}"
            f"{_with_std(result, test.score):>{ours}}"
            f"{f'{result.pooled(test.score):.2f}' if pooled else '':>7}"
            f" {_difference(result):<26}".rstrip()
        )
    return "\n".join(lines)


def _millions(parameters: int) -> str:
    return f"{parameters / 1e6:.2f}" if parameters < 1e8 else f"{parameters / 1e6:.1f}"


def _with_std(result: Result, name: str) -> str:
    deviation = f" +- {100 * result.folds.std(name):.2f}" if result.folds else ""
    return f"{result.score(name):.2f}{deviation}"


def _difference(result: Result) -> str:
    found = result.comparison
    if found is None:
        return ""
    low, high = (100 * bound for bound in found.interval)
    return f"{100 * found.difference:+.1f} [{low:+.1f}, {high:+.1f}], {_p(found.p_value)}"


def _p(value: float) -> str:
    return "<.001" if value < 0.001 else f"{value:.3f}".lstrip("0")


def _markdown(table: PaperTable, shown: Sequence[Section], settings: dict[str, Any]) -> str:
    lines = [
        f"# {table.title}",
        "",
        f"{table.paper}. In percent; the paper's scores in brackets.",
        "",
    ]
    lines += [
        f"- recipe {recipe}: {_protocol(table, recipe, settings)}"
        for recipe in dict.fromkeys(section.recipe for section in shown)
    ]
    lines += [
        f"- command: `{_command(table, settings)}`",
        f"- made with {', '.join(f'{name} {version(name)}' for name in _PACKAGES)}",
        "- scores: official, at the masks' own size, mean over images (over folds: +- their "
        "standard deviation)",
    ]
    for section in shown:
        lines += ["", f"## {section.title[0].upper()}{section.title[1:]}", ""]
        lines += [f"{section.test.what[0].upper()}{section.test.what[1:]}.", ""]
        lines += [markdown(_markdown_rows(table, section))]
        if section.test.pooled:
            lines += ["", "All pixels pooled, which is not the official score:", ""]
            header = ["row", *section.test.quoted]
            rows = [
                [
                    result.row.name,
                    *(f"{result.pooled(name):.2f}{_quoted(result, name)}" for name in header[1:]),
                ]
                for result in section.results
            ]
            lines += [markdown([header, *rows])]
    lines += ["", "## Differences from the paper", ""]
    return "\n".join([*lines, *(f"- {difference}" for difference in table.differences)]) + "\n"


def _command(table: PaperTable, settings: dict[str, Any]) -> str:
    """Return the command that reproduces the table."""
    recipes = settings["recipes"]
    words = [f"lesionseg reproduce {table.name} --root DIR --budget {settings['budget']}"]
    if recipes != table.budgets[settings["budget"]]["recipes"]:
        words.append(f"--recipe {recipes[0] if len(recipes) == 1 else 'both'}")
    if settings["rows"]:
        words.append(f"--rows {shlex.join(settings['rows'])}")
    for name in ("epochs", "precision"):
        if settings[name] is not None:
            words.append(f"--{name} {settings[name]}")
    return " ".join(words)


def _protocol(table: PaperTable, recipe: str, settings: dict[str, Any]) -> str:
    """Return size, images, epochs and seed of a recipe, and the rows for which they differ."""
    budget, epochs = settings["budget"], settings["epochs"]
    configs = {row.name: table.config(row, recipe, budget, epochs) for row in table.rows}
    usual, *_ = described = [_described(config) for config in configs.values()]
    others = [
        f"{name}: {other}" for name, other in zip(configs, described, strict=True) if other != usual
    ]
    return "; ".join([usual, *others])


def _described(config: dict[str, Any]) -> str:
    data, trainer = config["data"]["init_args"], config["trainer"]
    height, width = data["size"]
    images = f"{data['limit']} training images" if "limit" in data else "all training images"
    epochs = trainer["max_epochs"]
    return (
        f"{height} x {width} pixels, {images} in batches of {data['batch_size']}, "
        f"{epochs} epoch{'s' * (epochs != 1)}, seed {config['seed_everything']}"
    )


def _markdown_rows(table: PaperTable, section: Section) -> list[list[str]]:
    scores = [*section.test.quoted, f"95 % interval of {section.test.score}"]
    header = ["row", "million parameters", *scores]
    rows = [[*header, f"{table.reference} - row [95 %], Wilcoxon p"]]
    for result in section.results:
        low, high = (100 * bound for bound in result.table.interval(section.test.score))
        cells = [
            f"{_with_std(result, name)}{_quoted(result, name)}" for name in section.test.quoted
        ]
        interval = f"{low:.2f} to {high:.2f}"
        size = _millions(result.row.parameters(section.recipe))
        if result.row.quoted_parameters is not None:
            size += f" ({result.row.quoted_parameters})"
        rows.append([result.row.name, size, *cells, interval, _difference(result)])
    return rows


def _quoted(result: Result, name: str) -> str:
    """Return the paper's score in brackets, with its deviation; empty for a control."""
    if name not in result.row.quoted:
        return ""
    deviation = result.row.quoted_std.get(name)
    return f" ({result.row.quoted[name]:.2f}{'' if deviation is None else f' +- {deviation}'})"
