"""Write the tables that the code determines: run ``python docs/make_tables.py`` after a change.

In its page, a table is between ``<!-- begin: name -->`` and ``<!-- end: name -->``.
"""

import json
import re
from collections.abc import Callable, Iterable, Sequence
from functools import partial
from importlib.resources import files
from pathlib import Path
from typing import Any

import torch
import yaml
from torch import nn

from lesionseg.cli.trainer import recipe_names
from lesionseg.losses import create_loss, loss_names
from lesionseg.networks import (
    ImageSynthesizer,
    MobileGANDiscriminator,
    SegANCritic,
    create_network,
    network_names,
)
from lesionseg.networks.summary import network_facts

DOCS = Path(__file__).parent
CONFIGS = files("lesionseg") / "configs"

ASNET_OPTIONS: Sequence[tuple[str, dict[str, Any]]] = (
    ("ASNet", {}),
    ("Baseline (no adaptive scale module)", {"adaptive_scale": False}),
    ("Baseline_ASM_w/o_DI (no dilation)", {"dilations": [1, 1, 1]}),
    ("Baseline_ASM_w/o_SA (branches summed)", {"fusion": "sum"}),
    ("Baseline_Wide", {"adaptive_scale": False, "wide_decoder": True}),
    ("one scale-aware module used twice", {"share_fusion": True}),
    ("residual beta * f + x", {"residual": "additive"}),
)
MOBILEGAN_OPTIONS: Sequence[tuple[str, dict[str, Any]]] = (
    ("as chosen", {}),
    (
        "wider, then narrower",
        {"encoder_widths": [16, 64, 64, 128], "decoder_widths": [64, 16]},
    ),
    ("two streams side by side (literal text)", {"decoder": "parallel"}),
    ("stride 2 before the pooling (literal text)", {"cda_stride": 2}),
    ("keys pooled over 2 x 2 squares", {"key_stride": 2}),
)


def _parameters(network: nn.Module) -> str:
    return f"{sum(parameter.numel() for parameter in network.parameters()):,}"


def _markdown(header: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [header, ["---"] * len(header), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def _build(name: str, **arguments: Any) -> Any:
    with torch.device("meta"):  # shapes only: no memory and no random numbers
        return create_network(name, **arguments)


def networks_table() -> str:
    """Return all registered networks and an example of segmentation-models-pytorch."""
    rows = []
    for name in [*network_names(), "smp:unet/resnet34"]:
        network, facts = _build(name), network_facts(name)
        macs = f"{facts.macs / 1e9:.2f} at {facts.size[0]} x {facts.size[1]}"
        multiple = "any" if network.size_multiple == 1 else f"multiples of {network.size_multiple}"
        least = "1 pixel" if network.minimum_size == 1 else f"{network.minimum_size} pixels"
        rows.append((f"`{name}`", f"{facts.parameters:,}", macs, multiple, least))
    return _markdown(("name", "parameters", "GMAC", "height and width", "at least"), rows)


def _options_table(name: str, options: Sequence[tuple[str, dict[str, Any]]]) -> str:
    rows = []
    for what, arguments in options:
        code = ", ".join(f"`{key}={value!r}`" for key, value in arguments.items())
        rows.append((what, code or "the defaults", _parameters(_build(name, **arguments))))
    return _markdown(("network", "arguments", "parameters"), rows)


def asnet_table() -> str:
    """Return ASNet's variants and the rows of its paper's Table 2."""
    return _options_table("asnet", ASNET_OPTIONS)


def mobilegan_table() -> str:
    """Return the variants of the generator, and the discriminator."""
    with torch.device("meta"):
        discriminator = MobileGANDiscriminator()
    generator = _options_table("mobilegan", MOBILEGAN_OPTIONS)
    return f"{generator}\n| discriminator | none | {_parameters(discriminator)} |"


def segan_table() -> str:
    """Return the segmentor and the critic."""
    with torch.device("meta"):
        rows = [
            ("segmentor", "the defaults", _parameters(create_network("segan"))),
            ("critic", "the defaults", _parameters(SegANCritic())),
            (
                "critic without its branches",
                "`critic_branches=False`",
                _parameters(SegANCritic(global_branches=False)),
            ),
        ]
    return _markdown(("network", "arguments", "parameters"), rows)


def gan_fcn_table() -> str:
    """Return the networks of the GAN, and the FCN."""
    with torch.device("meta"):
        rows = [
            ("FCN", _parameters(create_network("gan_fcn"))),
            ("generator", _parameters(ImageSynthesizer())),
            ("discriminator", _parameters(MobileGANDiscriminator())),
        ]
    return _markdown(("network", "parameters"), rows)


def losses_table() -> str:
    """Return the losses by name."""
    return _markdown(
        ("name", "module"), ((f"`{name}`", f"`{create_loss(name)!r}`") for name in loss_names())
    )


def recipes_table() -> str:
    """Return the recipes that come with the package."""
    rows = []
    for name in recipe_names():
        recipe = yaml.safe_load((CONFIGS / f"{name}.yaml").read_text())
        data = recipe["data"]
        rows.append(
            (
                f"`{name}`",
                recipe.get("model", {}).get("class_path", "yours: `--model`"),
                data["class_path"],
                data["init_args"].get("split", "-"),
                str(recipe["trainer"]["max_epochs"]),
            )
        )
    return _markdown(("recipe", "model", "data", "split", "epochs"), rows)


def benchmark_table(name: str) -> str:
    """A measured table, with its command, date and machine."""
    saved = json.loads((DOCS / "benchmarks" / f"{name}.json").read_text(encoding="utf-8"))
    about = ", ".join(f"{key} {value}" for key, value in saved["machine"].items())
    parts = [_markdown(saved["header"], saved["rows"]), *saved["notes"]]
    return "\n\n".join([*parts, f"`{saved['command']}`, {saved['date']}: {about}."])


TABLES: dict[tuple[str, str], Callable[[], str]] = {
    ("networks.md", "networks"): networks_table,
    ("models/asnet.md", "asnet"): asnet_table,
    ("models/mobilegan.md", "mobilegan"): mobilegan_table,
    ("models/segan.md", "segan"): segan_table,
    ("models/gan-fcn.md", "gan-fcn"): gan_fcn_table,
    ("models/segmenter.md", "losses"): losses_table,
    ("getting-started.md", "recipes"): recipes_table,
    **{
        ("benchmarks.md", f"benchmark {path.stem}"): partial(benchmark_table, path.stem)
        for path in sorted((DOCS / "benchmarks").glob("*.json"))
    },
}


def with_table(page: str, name: str, table: str) -> str:
    """Return a page with the table between its two marks.

    Raises:
        ValueError: If the page does not have the two marks exactly once.
    """
    pattern = re.compile(rf"(<!-- begin: {name} -->).*?(<!-- end: {name} -->)", re.DOTALL)
    changed, count = pattern.subn(lambda match: f"{match[1]}\n\n{table}\n\n{match[2]}", page)
    if count != 1:
        raise ValueError(f"expected a pair of marks of the table {name!r}, got {count}")
    return changed


def main() -> None:
    for (page, name), table in TABLES.items():
        path = DOCS / page
        path.write_text(with_table(path.read_text(), name, table()))


if __name__ == "__main__":
    main()
