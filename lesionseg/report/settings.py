"""Tables of the settings of fits and tests."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from lesionseg.inspection.tables import Table

_TRAINER = ("max_epochs", "max_steps", "precision", "accelerator", "devices", "strategy")
_TEST = (
    *("checkpoint", "epoch", "split", "images", "size", "threshold"),
    *("test_time_augmentation", "postprocess", "precision"),
    *("command", "commit", "version", "torch", "date"),
)


def fit_settings(config: Mapping[str, Any]) -> Table:
    """Return the settings of a fit: model, data and seed, and a few of the Trainer."""
    return Table(("setting", "value"), tuple(_flat(config).items()))


def differing_settings(configs: Sequence[Mapping[str, Any]], labels: Sequence[str]) -> Table:
    """Return the settings in which fits differ; those without a configuration are left out."""
    kept = [(label, _flat(c)) for label, c in zip(labels, configs, strict=True) if c]
    names = dict.fromkeys(name for _, settings in kept for name in settings)
    rows = []
    for name in names:
        values = tuple(settings.get(name, "") for _, settings in kept)
        if len(set(values)) > 1:
            rows.append((name, *values))
    return Table(("setting", *(label for label, _ in kept)), tuple(rows))


def test_settings(record: Mapping[str, Any]) -> Table:
    """Return what was tested and how."""
    data = record.get("data") or {}
    rows = {"data": str(data.get("class_path"))}
    rows |= _values("data", data.get("init_args") or {})
    rows |= _values("", {name: record.get(name) for name in _TEST})
    return Table(("test", "value"), tuple(rows.items()))


def _flat(config: Mapping[str, Any]) -> dict[str, str]:
    found: dict[str, str] = {}
    for part in ("model", "data"):
        content = config.get(part)
        if isinstance(content, Mapping):
            found[part] = str(content.get("class_path"))
            found |= _values(part, content.get("init_args") or {})
    if isinstance(trainer := config.get("trainer"), Mapping):
        found |= _values("trainer", {name: trainer.get(name) for name in _TRAINER})
    return found | _values("", {"seed_everything": config.get("seed_everything")})


def _values(prefix: str, content: Mapping[str, Any]) -> dict[str, str]:
    """Return the values that are set, with dots between the names of nested ones."""
    found: dict[str, str] = {}
    for name, value in content.items():
        full = f"{prefix}.{name}" if prefix else str(name)
        if isinstance(value, Mapping) and value:
            found |= _values(full, value)
        elif value not in (None, [], {}, -1):
            found[full] = str(value)
    return found
