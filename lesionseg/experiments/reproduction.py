"""Train and score every row of a paper's table under one protocol."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import yaml

from lesionseg.errors import LesionsegError
from lesionseg.experiments.cross_validation import fold_jobs
from lesionseg.experiments.jobs import Job, run_jobs
from lesionseg.experiments.paper_table import PaperTable, TableRow, slug
from lesionseg.experiments.reproduction_results import Cell
from lesionseg.files import atomic_path


@dataclass(frozen=True)
class Reproduction:
    """A paper's table, reproduced with a budget.

    Attributes:
        table: Table to reproduce.
        root: Folder of the official folders.
        folder: Folder of the results.
        budget: Key of the table's budgets.
        recipe: A recipe for all rows, or ``"both"``; None for those of the budget.
        rows: Names of the rows; None for all.
        epochs: Epochs of every run; None for those of the budget.
        precision: The Trainer's precision, such as ``"bf16-mixed"``; None for its default.
        workers: Processes that read images for a run.
        jobs: Runs at the same time; None for :func:`~lesionseg.experiments.jobs.default_parallel`.
        keep_checkpoints: Whether to keep the weights of every run.

    Example:
        >>> from pathlib import Path
        >>> from lesionseg.experiments.paper_table import load_table
        >>> from lesionseg.experiments.reproduction import Reproduction
        >>> table = load_table("asnet-table2")
        >>> reproduction = Reproduction(table, Path("data"), Path("out"), "quick", rows=["ASNet"])
        >>> reproduction.recipes, [row.name for row in reproduction.chosen_rows()]
        (['common'], ['ASNet'])
    """

    table: PaperTable
    root: Path
    folder: Path
    budget: str = "full"
    recipe: Literal["common", "paper", "both"] | None = None
    rows: Sequence[str] | None = None
    epochs: int | None = None
    precision: str | None = None
    workers: int = 0
    jobs: int | None = None
    keep_checkpoints: bool = False

    @property
    def recipes(self) -> list[str]:
        """Names of the chosen recipes."""
        if self.recipe is None:
            chosen: list[str] = self.table.budgets[self.budget]["recipes"]
            return chosen
        return list(self.table.recipes) if self.recipe == "both" else [self.recipe]

    @property
    def settings(self) -> dict[str, object]:
        """What all runs of the results folder must have in common."""
        return {
            "table": self.table.name,
            "budget": self.budget,
            "root": str(self.root.resolve()),
            "precision": self.precision,
            "epochs": self.epochs,
        }

    def chosen_rows(self) -> list[TableRow]:
        """Return the chosen rows in the table's order.

        Raises:
            LesionsegError: If the table has no row of a name.
        """
        if self.rows is None:
            return self.table.rows
        known = {row.folder for row in self.table.rows}
        for name in self.rows:
            if slug(name) not in known:
                names = ", ".join(f'"{row.name}"' for row in self.table.rows)
                raise LesionsegError(
                    f"{self.table.name} has no row {name!r}; its rows are {names}."
                )
        wanted = set(map(slug, self.rows))
        return [row for row in self.table.rows if row.folder in wanted]

    def check(self) -> None:
        """Check rows and training images before anything is trained.

        Raises:
            LesionsegError: If the table has no row of a name.
            DatasetNotFoundError: If the training images are missing.
        """
        from lesionseg.data import ISICDataset

        self.chosen_rows()
        ISICDataset(self.root, 2018, "train")

    def run(self, program: str) -> str:
        """Train and score what is not done yet, and write the table.

        Args:
            program: Function that runs a command; see :func:`~lesionseg.experiments.jobs.run_jobs`.

        Returns:
            The table as text.

        Raises:
            LesionsegError: If a run fails.
        """
        cells = list(self._cells())
        jobs = [job for cell in cells for job in cell.jobs]
        run_jobs(jobs, self.jobs, self.table.name, program=program)

        from lesionseg.experiments.reproduction_report import report

        shown = {key: value for key, value in self.settings.items() if key != "root"}
        shown |= {"rows": self.rows, "recipes": self.recipes}
        return report(self.table, cells, self.folder, shown)

    def missing_tests(self) -> Iterator[str]:
        """Yield a sentence for each test whose official files are missing."""
        from lesionseg.data import ISICDataset
        from lesionseg.data.archives import how_to_get

        for name, test in self.table.tests.items():
            if test.needs is not None and not self._has(test.needs):
                official = ISICDataset.check(*test.needs)
                folders = [entry.folder for entry in official]
                missing = [folder for folder in folders if not (self.root / folder).is_dir()]
                yield (
                    f"Not tested: {name} ({test.what}), because {' and '.join(missing)} "
                    f"{'is' if len(missing) == 1 else 'are'} not in {self.root}; "
                    f"{how_to_get(self.root, *test.needs)}, and then this command again."
                )

    def _cells(self) -> Iterator[Cell]:
        tests = {
            slug(name): test.arguments
            for name, test in self.table.tests.items()
            if self._has(test.needs)
        }
        for recipe in self.recipes:
            for variant, training in self.table.variants.items():
                for row in self.chosen_rows():
                    folder = self.folder / recipe / slug(variant) / row.folder
                    fit = [f"--config={self._write_config(row, recipe, folder)}"]
                    fit += training
                    keep = self.keep_checkpoints
                    if self.table.num_folds is None:
                        jobs = [Job(folder, fit, tests, keep_checkpoints=keep)]
                    else:
                        jobs = fold_jobs(folder, fit, self.table.num_folds, keep_checkpoints=keep)
                    yield Cell(row, recipe, variant, jobs)

    def _write_config(self, row: TableRow, recipe: str, folder: Path) -> Path:
        config = self.table.config(row, recipe, self.budget, self.epochs)
        config["data"]["init_args"] |= {
            "root": str(self.root.resolve()),
            "num_workers": self.workers,
        }
        if self.precision is not None:
            config["trainer"]["precision"] = self.precision
        path = folder / "recipe.yaml"
        with atomic_path(path) as unfinished:
            unfinished.write_text(yaml.safe_dump(config, sort_keys=False), encoding="utf-8")
        return path

    def _has(self, needs: tuple[int, str] | None) -> bool:
        from lesionseg.data import ISICDataset

        return needs is None or ISICDataset.has(self.root, needs[0], needs[1])  # type: ignore[arg-type]
