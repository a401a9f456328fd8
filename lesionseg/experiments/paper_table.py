"""The papers' tables as data: rows, quoted scores, recipes, budgets and tests."""

from __future__ import annotations

import re
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from typing import Any

import yaml

from lesionseg.errors import LesionsegError

_TABLES = files("lesionseg") / "configs" / "tables"

#: Networks of the classes that have no argument for it.
_NETWORKS = {"GANFCN": "gan_fcn", "MobileGAN": "mobilegan", "SegAN": "segan"}


@dataclass(frozen=True)
class TableTest:
    """A test of every trained model.

    Attributes:
        arguments: Arguments of ``lesionseg test``.
        what: Description of the images.
        score: Score that the report compares.
        quoted: Scores that the paper prints.
        needs: Year and official split whose folders are needed; None for those of training.
        pooled: Whether the paper's scores are of pooled pixels.
    """

    arguments: list[str]
    what: str
    score: str
    quoted: list[str]
    needs: tuple[int, str] | None = None
    pooled: bool = False


@dataclass(frozen=True)
class TableRow:
    """A row of a table.

    Attributes:
        name: Name in the paper, or ours for a control.
        quoted: The paper's scores in percent; empty for a control.
        quoted_std: Deviations that the paper prints after +-.
        models: The ``model`` section of a configuration for each recipe.
        changes: Changes of the configuration for this row, by budget.
        epoch_shares: Arguments of the model that are a fraction of all epochs, at least 1 epoch.
        quoted_parameters: The paper's number of parameters in millions; None where it prints none.
    """

    name: str
    quoted: dict[str, float]
    quoted_std: dict[str, float]
    models: dict[str, dict[str, Any]]
    changes: dict[str, dict[str, Any]]
    epoch_shares: dict[str, float]
    quoted_parameters: float | None = None

    def parameters(self, recipe: str) -> int:
        """Return the number of parameters of the network that a recipe trains to segment."""
        import torch

        from lesionseg.networks import create_network

        model = self.models[recipe]
        arguments = model["init_args"]
        network = _NETWORKS.get(model["class_path"]) or arguments["network"]
        options = dict(arguments.get("network_arguments", {}))
        options.pop("encoder_weights", None)  # not downloaded to be counted
        with torch.device("meta"):  # shapes only
            created = create_network(network, **options)
        return sum(parameter.numel() for parameter in created.parameters())

    @property
    def folder(self) -> str:
        """Name of the row's folder."""
        return slug(self.name)


@dataclass(frozen=True)
class PaperTable:
    """A paper's table, as ``lesionseg reproduce`` trains and scores it.

    Attributes:
        name: Name on the command line.
        title: Paper and table.
        paper: Citation.
        num_folds: Folds of the cross-validation; None where there is a single split.
        reference: Name of the row that the others are compared with.
        variants: Arguments of ``lesionseg fit`` for each training set, by its name.
        tests: Tests by name.
        rows: Rows in the paper's order.
        recipes: Configurations of ``lesionseg fit`` without a model, by name.
        budgets: ``recipes`` that are run by default and ``changes`` of the configuration, by name.
        differences: Sentences on how the protocol differs from the paper's.
    """

    name: str
    title: str
    paper: str
    num_folds: int | None
    reference: str
    variants: dict[str, list[str]]
    tests: dict[str, TableTest]
    rows: list[TableRow]
    recipes: dict[str, dict[str, Any]]
    budgets: dict[str, dict[str, Any]]
    differences: list[str]

    def config(
        self, row: TableRow, recipe: str, budget: str, epochs: int | None = None
    ) -> dict[str, Any]:
        """Return the configuration of a row's ``lesionseg fit``, without the root of the data.

        Args:
            row: A row of :attr:`rows`.
            recipe: Key of :attr:`recipes`.
            budget: Key of :attr:`budgets`.
            epochs: Number of epochs; None for the budget's.
        """
        config = _merged(self.recipes[recipe], self.budgets[budget]["changes"])
        config = _merged(config, {"model": row.models[recipe]})
        config = _merged(config, row.changes.get(budget, {}))
        if epochs is not None:
            config = _merged(config, {"trainer": {"max_epochs": epochs}})
        shares = {
            name: max(1, round(share * config["trainer"]["max_epochs"]))
            for name, share in row.epoch_shares.items()
        }
        return _merged(config, {"model": {"init_args": shares}})


def table_names() -> list[str]:
    """Return the sorted names of the tables that can be reproduced."""
    return sorted(
        Path(entry.name).stem for entry in _TABLES.iterdir() if entry.name.endswith(".yaml")
    )


def load_table(name: str) -> PaperTable:
    """Read a table.

    Args:
        name: A name of :func:`table_names`.

    Raises:
        LesionsegError: If there is no such table.

    Example:
        >>> from lesionseg.experiments.paper_table import load_table, table_names
        >>> table_names()
        ['asnet-table2', 'mobilegan-sizes', 'mobilegan-tables']
        >>> table = load_table("asnet-table2")
        >>> [row.quoted["jaccard"] for row in table.rows if row.name == "ASNet"]
        [82.15]
    """
    if name not in table_names():
        raise LesionsegError(f"there is no table {name!r}; choose from {', '.join(table_names())}.")
    content = yaml.safe_load((_TABLES / f"{name}.yaml").read_text(encoding="utf-8"))
    recipes, budgets = content["recipes"], content["budgets"]
    return PaperTable(
        name=name,
        title=content["title"],
        paper=content["paper"],
        num_folds=content.get("num_folds"),
        reference=content["reference"],
        variants=content["variants"],
        tests={name: _test(test) for name, test in content["tests"].items()},
        rows=[
            TableRow(
                name=row["name"],
                quoted=row["quoted"],
                quoted_std=row.get("quoted_std", {}),
                models={recipe: row[recipe] for recipe in recipes},
                changes={budget: row[budget] for budget in budgets if budget in row},
                epoch_shares=row.get("epoch_shares", {}),
                quoted_parameters=row.get("quoted_parameters"),
            )
            for row in content["rows"]
        ],
        recipes=recipes,
        budgets=budgets,
        differences=content["differences"],
    )


def slug(name: str) -> str:
    """Return a name as that of a folder: lower case, words joined by hyphens."""
    return re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-")


def _test(content: dict[str, Any]) -> TableTest:
    needs = content.pop("needs", None)
    return TableTest(**content, needs=None if needs is None else (needs[0], needs[1]))


def _merged(base: dict[str, Any], changes: dict[str, Any]) -> dict[str, Any]:
    """Return the base updated with the changes, mapping by mapping."""
    merged = dict(base)
    for key, value in changes.items():
        both = isinstance(value, dict) and isinstance(merged.get(key), dict)
        merged[key] = _merged(merged[key], value) if both else value
    return merged
