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

#: What the classes whose network is no argument segment with.
_NETWORKS = {"GANFCN": "gan_fcn", "MobileGAN": "mobilegan", "SegAN": "segan"}


@dataclass(frozen=True)
class TableTest:
    """One test of every trained model.

    Attributes:
        arguments: What stands behind ``lesionseg test``.
        what: Which images, in words.
        score: The score that the report compares.
        quoted: The scores that the paper prints.
        needs: Year and official split whose folders must be there; None if the training set's do.
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
    """One row.

    Attributes:
        name: As the paper has it, or ours for a control.
        quoted: The paper's scores in per cent; empty for a control of our own.
        quoted_std: What the paper prints behind +-.
        models: The ``model`` section of a configuration for each recipe.
        changes: Changes of the configuration that only this row has, by budget.
        epoch_shares: Arguments of the model that are a share of all epochs, at least 1.
        quoted_parameters: The paper's number of parameters in millions; None where it has none.
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
        options.pop("encoder_weights", None)  # they need not be here
        with torch.device("meta"):  # shapes only
            made = create_network(network, **options)
        return sum(parameter.numel() for parameter in made.parameters())

    @property
    def folder(self) -> str:
        """The name as a folder's."""
        return slug(self.name)


@dataclass(frozen=True)
class PaperTable:
    """All that ``lesionseg reproduce`` needs to know of a table.

    Attributes:
        name: The name on the command line.
        title: Paper and table.
        paper: The citation.
        num_folds: Folds of the cross-validation; None where the data has one split.
        reference: The row that the others are compared with.
        variants: Training sets: their names, and what stands behind ``lesionseg fit`` for each.
        tests: By their names.
        rows: In the paper's order.
        recipes: Configurations of ``lesionseg fit`` without a model.
        budgets: By name; ``recipes``, those run unless told, and ``changes`` of the configuration.
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
        """The configuration of a row's ``lesionseg fit``, without the data's root.

        Args:
            row: One of :attr:`rows`.
            recipe: A key of :attr:`recipes`.
            budget: A key of :attr:`budgets`.
            epochs: Instead of the budget's.
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
    """The tables that can be made again, sorted."""
    return sorted(
        Path(entry.name).stem for entry in _TABLES.iterdir() if entry.name.endswith(".yaml")
    )


def load_table(name: str) -> PaperTable:
    """Read a table by its name.

    Raises:
        LesionsegError: There is no such table.
    """
    if name not in table_names():
        raise LesionsegError(
            f"there is no table {name!r}; choose one of {', '.join(table_names())}."
        )
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
    """A name as a folder's: lower case, words joined by dashes."""
    return re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-")


def _test(content: dict[str, Any]) -> TableTest:
    needs = content.pop("needs", None)
    return TableTest(**content, needs=None if needs is None else (needs[0], needs[1]))


def _merged(base: dict[str, Any], changes: dict[str, Any]) -> dict[str, Any]:
    """The base with the changes laid over it, mapping by mapping."""
    merged = dict(base)
    for key, value in changes.items():
        both = isinstance(value, dict) and isinstance(merged.get(key), dict)
        merged[key] = _merged(merged[key], value) if both else value
    return merged
