import re
from copy import deepcopy

import pytest
import yaml

from lesionseg.cli import trainer as trainer_cli
from lesionseg.errors import LesionsegError
from lesionseg.experiments.paper_table import load_table, slug, table_names
from lesionseg.metrics import SCORE_NAMES
from lesionseg.networks import create_network


def test_both_papers_tables_are_there():
    assert table_names() == ["asnet-table2", "mobilegan-sizes", "mobilegan-tables"]


def test_an_unknown_table_is_told_from_the_known():
    with pytest.raises(LesionsegError, match="asnet-table2, mobilegan-sizes, mobilegan-tables"):
        load_table("asnet-table3")


@pytest.mark.parametrize("name", table_names())
def test_every_row_has_a_model_for_every_recipe(name):
    table = load_table(name)
    assert table.reference in {row.name for row in table.rows}
    assert len({row.folder for row in table.rows}) == len(table.rows)
    for row in table.rows:
        assert set(row.quoted) | set(row.quoted_std) <= set(SCORE_NAMES)
        for recipe in table.recipes:
            for budget in table.budgets:
                config = table.config(row, recipe, budget)
                assert config["model"]["class_path"] in (
                    "Segmenter",
                    "SegAN",
                    "GANFCN",
                    "MobileGAN",
                )
                assert config["data"]["class_path"] == "ISICDataModule"
                assert config["trainer"]["max_epochs"] >= 1
    for test in table.tests.values():
        assert {test.score, *test.quoted} <= set(SCORE_NAMES)


@pytest.mark.parametrize("name", ["asnet-table2", "mobilegan-tables"])
def test_a_recipe_differs_from_row_to_row_by_the_model_only(name):
    table = load_table(name)
    for recipe in table.recipes:
        others = []
        supervised = []
        for row in table.rows:
            config = table.config(row, recipe, "full")
            model = config.pop("model")
            others.append(config)
            if model["class_path"] == "Segmenter":
                arguments = dict(model["init_args"])
                for key in ("network", "network_arguments"):
                    arguments.pop(key, None)
                supervised.append(arguments)
        assert all(other == others[0] for other in others)
        if recipe == "common":
            assert all(arguments == supervised[0] for arguments in supervised)
            assert supervised[0]["optimizer"] == "adamw"


def test_the_rows_of_the_sizes_differ_by_the_size_only():
    table = load_table("mobilegan-sizes")
    for recipe in table.recipes:
        for budget in table.budgets:
            configs = [deepcopy(table.config(row, recipe, budget)) for row in table.rows]
            sizes = [tuple(config["data"]["init_args"].pop("size")) for config in configs]
            assert sizes == [(64, 64), (128, 128), (256, 256)]
            assert [f"{height} x {width}" for height, width in sizes] == [
                row.name for row in table.rows
            ]
            assert configs[0] == configs[1] == configs[2]


def test_a_rows_own_budget_comes_last():
    table = load_table("mobilegan-tables")
    rows = {row.name: row for row in table.rows}
    assert table.config(rows["FrCN"], "common", "quick")["data"]["init_args"]["size"] == [32, 32]
    assert table.config(rows["FCN"], "common", "quick")["data"]["init_args"]["size"] == [64, 64]
    assert table.config(rows["FrCN"], "common", "full")["data"]["init_args"]["size"] == [128, 128]
    assert "limit" not in table.config(rows["FCN"], "common", "full")["data"]["init_args"]


@pytest.mark.parametrize("paper", ["asnet", "mobilegan"])
def test_the_quoted_figures_stand_in_the_paper(paper, shared_data):
    text = (shared_data.parent / "papers" / f"{paper}.txt").read_text(encoding="utf-8")
    table = load_table({"asnet": "asnet-table2", "mobilegan": "mobilegan-tables"}[paper])
    printed = set(re.findall(r"\d+\.\d+", text))
    for row in table.rows:
        for value in (*row.quoted.values(), *row.quoted_std.values()):
            forms = {f"{value:g}", f"{value:.2f}", f"{value:.3f}", f"{value:.1f}"}
            assert forms & printed, (row.name, value)


def test_the_asnet_rows_are_those_of_its_ablation():
    table = load_table("asnet-table2")
    networks = {
        row.name: row.models["common"]["init_args"]["network"]
        for row in table.rows
        if row.models["common"]["init_args"]["network"].startswith("asnet")
    }
    counts = {
        name: sum(p.numel() for p in create_network(network).parameters())
        for name, network in networks.items()
    }
    assert counts == {
        "Baseline": 24_608_609,
        "ASM without dilation": 30_652_774,
        "ASM without SAM": 27_234_146,
        "Baseline, wide": 30_805_345,
        "ASNet": 30_652_774,
    }


def test_a_row_knows_its_networks_parameters():
    rows = {row.name: row for row in load_table("mobilegan-tables").rows}
    counts = {name: row.parameters("paper") for name, row in rows.items()}
    assert counts == {
        "FCN": 134_271_430,
        "U-Net": 12_131_161,
        "SegNet": 29_443_585,
        "FrCN": 16_263_554,
        "SLSDeep": 46_657_348,
        "SegAN": 156_265_344,
        "GAN-FCN": 134_271_430,
        "MobileGAN, no adversary": 2_348_204,
        "MobileGAN, weak adversary": 2_348_204,
        "MobileGAN": 2_348_204,
    }
    assert counts == {name: row.parameters("common") for name, row in rows.items()}
    (asnet,) = (row for row in load_table("asnet-table2").rows if row.name == "ASNet")
    assert asnet.parameters("paper") == 30_652_774  # without a download of its encoder's weights


def test_a_name_becomes_a_folder():
    assert slug("MobileGAN, no adversary") == "mobilegan-no-adversary"


@pytest.mark.parametrize("name", table_names())
def test_lesionseg_fit_accepts_every_configuration(name, tmp_path, monkeypatch):
    for name_of_part in ("_set_seed", "before_instantiate_classes", "instantiate_classes"):
        monkeypatch.setattr(trainer_cli.LesionCLI, name_of_part, lambda self: None)
    monkeypatch.setattr(trainer_cli.LesionCLI, "_run_subcommand", lambda self, subcommand: None)
    table = load_table(name)
    for row in table.rows:
        for recipe in table.recipes:
            for budget in table.budgets:
                path = tmp_path / "recipe.yaml"
                path.write_text(yaml.safe_dump(table.config(row, recipe, budget, epochs=12)))
                extra = [one for arguments in table.variants.values() for one in arguments]
                assert trainer_cli.run(["fit", f"--config={path}", "--data.root=x", *extra]) == 0
    for test in table.tests.values():
        data = {"data": {"class_path": "ISICDataModule", "init_args": {"root": "x"}}}
        path.write_text(yaml.safe_dump(data))
        command = ["test", "--model=ASNet", f"--config={path}", *test.arguments]
        assert trainer_cli.run(command) == 0


def test_epochs_are_changed_everywhere_and_shares_follow():
    table = load_table("mobilegan-tables")
    gan_fcn = next(row for row in table.rows if row.name == "GAN-FCN")
    assert table.config(gan_fcn, "common", "full")["model"]["init_args"]["synthesis_epochs"] == 25
    config = table.config(gan_fcn, "paper", "quick", epochs=2)
    assert config["trainer"]["max_epochs"] == 2
    assert config["model"]["init_args"]["synthesis_epochs"] == 1
