"""Every recipe as the program understands it, against a table written by hand from the papers."""

import pytest
import yaml

import lesionseg
from lesionseg.cli import trainer as trainer_cli
from lesionseg.experiments.paper_table import load_table

FLIP = ("horizontal_flip",)
FLIPS = ("horizontal_flip", "vertical_flip")
PHOTOMETRIC = (*FLIPS, "gamma", "clahe")

#: Of every fit: the epoch of the highest validation Jaccard is "best".
BEST = {
    "checkpoint.monitor": "val/jaccard",
    "checkpoint.mode": "max",
    "checkpoint.filename": "best",
    "checkpoint.save_top_k": 1,
    "seed_everything": 0,
}

#: ASNet, sections 2.3 to 2.5, and what the same group's related network adds (80 epochs).
ASNET_PAPER = {
    "model.loss": "joint",
    "model.optimizer": "sgd",
    "model.learning_rate": 0.01,
    "model.momentum": 0.9,
    "model.weight_decay": 1e-4,
    "model.schedule": "poly",
    "model.power": 0.9,
    "model.threshold": 0.5,
    "data.year": 2018,
    "data.size": (192, 256),
    "data.batch_size": 12,
    "data.augmentation": FLIP,
    "trainer.max_epochs": 80,
}

#: MobileGAN, section 3; its number of epochs is not printed.
MOBILEGAN_PAPER_DATA = {
    "data.year": 2018,
    "data.split": "holdout",
    "data.val_fraction": 0.2,
    "data.exclude": None,
    "data.limit": None,
    "data.size": (128, 128),
    "data.batch_size": 8,
    "data.augmentation": PHOTOMETRIC,
    "trainer.max_epochs": 100,
}
MOBILEGAN_ADAM = {
    "model.generator_learning_rate": 2e-4,
    "model.discriminator_learning_rate": 2e-4,
    "model.betas": (0.5, 0.999),
    "model.schedule": "constant",
}
MOBILEGAN_PAPER = {
    **MOBILEGAN_ADAM,
    "model.adversarial_weight": 1.0,
    "model.l1_weight": 0.1,
    "model.jaccard_weight": 0.5,
    "model.warmup_epochs": 0,
    "model.z_dropout": 0.3,
    "model.threshold": 0.5,
}
#: Section 2.2: D before G, z at test time, and a "tight convex surrogate".
MOBILEGAN_TEXT = {
    "model.discriminator_first": True,
    "model.jaccard_loss": "lovasz",
    "model.samples": 1,
}
MOBILEGAN_OURS = {
    "model.discriminator_first": False,
    "model.jaccard_loss": "jaccard",
    "model.samples": 0,
}
PAPER_ADAM = {
    "model.loss": "joint",
    "model.optimizer": "adam",
    "model.learning_rate": 2e-4,
    "model.momentum": 0.5,
    "model.weight_decay": 0.0,
    "model.schedule": "constant",
}

#: Ours, from scratch.
FROM_SCRATCH = {
    "model.loss": "joint",
    "model.optimizer": "adamw",
    "model.learning_rate": 1e-3,
    "model.momentum": 0.9,
    "model.weight_decay": 1e-2,
    "model.schedule": "one-cycle",
}
COMMON_DATA = {
    "data.year": 2018,
    "data.size": (128, 128),
    "data.batch_size": 16,
    "data.augmentation": FLIPS,
}

#: Ours, of the released weights: no image that anyone tests on.
RELEASED = {
    "data.year": 2018,
    "data.split": "holdout",
    "data.val_fraction": 0.2,
    "data.test_split": "val",
    "data.exclude": ("isic2018-val", "isic2017-val", "isic2017-test", "near-duplicates"),
    "data.limit": None,
    "data.plain_epochs": 5,
    "data.batch_size": 32,
}

RECIPES = {
    "asnet-isic2018": {
        "model": "ASNet",
        **ASNET_PAPER,
        "model.encoder_weights": "imagenet",
        "model.dilations": (1, 2, 4),
        "model.fusion": "attention",
        "model.adaptive_scale": True,
        "data.split": "k-fold",
        "data.num_folds": 5,
        "data.fold": 0,
        "data.exclude": None,
        "data.limit": None,
    },
    "mobilegan-isic2018": {
        "model": "MobileGAN",
        **MOBILEGAN_PAPER,
        **MOBILEGAN_TEXT,
        **MOBILEGAN_PAPER_DATA,
        "data.test_split": "val",
    },
    "asnet-lite-isic2018": {
        "model": "ASNet",
        **FROM_SCRATCH,
        **RELEASED,
        "model.encoder": "efficientnet_lite0",
        "model.encoder_weights": "imagenet",
        "model.encoder_learning_rate": 3e-4,
        "model.warmup_fraction": 0.15,
        "data.size": (256, 256),
        "trainer.max_epochs": 60,
        "trainer.gradient_clip_val": 5.0,
    },
    "mobilegan-fast-isic2018": {
        "model": "MobileGAN",
        **RELEASED,
        "model.key_stride": 2,
        "model.dilations": (1, 2, 4, 8),
        "model.adversarial_weight": 0.0,
        "model.generator_optimizer": "adamw",
        "model.generator_learning_rate": 1e-3,
        "model.generator_weight_decay": 1e-2,
        "model.generator_clip": 5.0,
        "model.schedule": "one-cycle",
        "data.size": (128, 128),
        "trainer.max_epochs": 45,
    },
    "comparison-isic2018": {
        **COMMON_DATA,
        "data.split": "holdout",
        "data.val_fraction": 0.2,
        "data.test_split": "val",
        "trainer.max_epochs": 3,
    },
    "quickstart": {
        "model": "ASNet",
        **FROM_SCRATCH,
        "model.encoder_weights": None,
        "data.size": (96, 128),
        "data.train_length": 288,
        "data.val_length": 40,
        "data.test_length": 60,
        "data.batch_size": 8,
        "data.augmentation": FLIP,
        "trainer.max_epochs": 7,
    },
}


def segmenter(network, arguments=None):
    return {
        "model": "Segmenter",
        "model.network": network,
        "model.network_arguments": arguments,
    }


ASNET_ROWS = {
    "U-Net": ("unet", {"width": 40}),
    "MultiResUNet": ("multiresunet", None),
    "Baseline": ("asnet-baseline", None),
    "ASM without dilation": ("asnet-without-dilation", None),
    "ASM without SAM": ("asnet-without-attention", None),
    "Baseline, wide": ("asnet-baseline-wide", None),
    "ASNet": ("asnet", None),
}
#: Section 2.1: the encoder's weights are pre-trained; U-Net and MultiResUNet have no such encoder.
PRETRAINED = {"encoder_weights": "imagenet"}

MOBILEGAN_ROWS = {
    "FCN": segmenter("fcn8s"),
    "U-Net": segmenter("unet", {"width": 40}),
    "SegNet": segmenter("segnet"),
    "FrCN": segmenter("frcn"),
    "SLSDeep": segmenter("slsdeep"),
    "SegAN": {"model": "SegAN"},
    "GAN-FCN": {"model": "GANFCN"},
    "MobileGAN, no adversary": {"model": "MobileGAN", "model.adversarial_weight": 0},
    "MobileGAN, weak adversary": {"model": "MobileGAN", "model.adversarial_weight": 0.05},
    "MobileGAN": {"model": "MobileGAN", "model.adversarial_weight": 1.0},
}


def asnet_row(name, recipe):
    network, arguments = ASNET_ROWS[name]
    if recipe == "paper" and network.startswith("asnet"):
        arguments = PRETRAINED
    training = ASNET_PAPER if recipe == "paper" else {**FROM_SCRATCH, **COMMON_DATA}
    return {**training, **segmenter(network, arguments), "trainer.max_epochs": 80}


def mobilegan_row(name, recipe):
    row = MOBILEGAN_ROWS[name]
    expected = {**MOBILEGAN_PAPER_DATA, **(COMMON_DATA if recipe == "common" else {})}
    if row["model"] == "Segmenter":
        expected |= PAPER_ADAM if recipe == "paper" else FROM_SCRATCH
        if name == "SLSDeep" and recipe == "paper":
            expected |= {"model.loss": "nll-epe"}
    elif row["model"] == "MobileGAN":
        expected |= MOBILEGAN_PAPER | (MOBILEGAN_TEXT if recipe == "paper" else MOBILEGAN_OURS)
        if recipe == "common":
            expected |= {
                "model.generator_learning_rate": 5e-4,
                "model.schedule": "one-cycle",
            }
    elif row["model"] == "SegAN":
        expected |= MOBILEGAN_ADAM | {
            "model.weight_clip": 0.05,
            "model.discriminator_first": recipe == "paper",
        }
        if recipe == "common":
            expected |= {"model.schedule": "one-cycle"}
    else:
        expected |= {
            "model.network": "fcn8s",
            "model.synthesis_epochs": 25,
            "model.synthetic_share": 0.5,
            "model.l1_weight": 100.0,
            "model.generator_learning_rate": 2e-4,
            "model.discriminator_learning_rate": 2e-4,
            "model.betas": (0.5, 0.999),
        }
        if recipe == "common":
            expected |= FROM_SCRATCH
    return expected | row


@pytest.fixture
def understood(monkeypatch):
    """What ``lesionseg fit`` would do: flat, with the defaults of the classes filled in."""
    kept = []
    cli = trainer_cli.LesionCLI
    for name in ("_set_seed", "before_instantiate_classes"):
        monkeypatch.setattr(cli, name, lambda self: None)
    monkeypatch.setattr(
        cli, "instantiate_classes", lambda self: kept.append(self.config[self.subcommand])
    )
    monkeypatch.setattr(cli, "_run_subcommand", lambda self, subcommand: None)

    def read(*arguments):
        assert trainer_cli.run(["fit", *arguments]) == 0
        config = kept.pop().as_dict()
        found = {
            "model": config["model"]["class_path"].rpartition(".")[2],
            "data": config["data"]["class_path"].rpartition(".")[2],
            "seed_everything": config["seed_everything"],
        }
        for section in ("model", "data"):
            for name, value in config[section]["init_args"].items():
                found[f"{section}.{name}"] = tuple(value) if isinstance(value, list) else value
        for section in ("trainer", "checkpoint"):
            found |= {f"{section}.{name}": value for name, value in config[section].items()}
        # What is left open comes from the model.
        recipe = getattr(lesionseg, found["model"]).input_defaults
        for name in ("size", "batch_size", "augmentation"):
            if found[f"data.{name}"] is None:
                found[f"data.{name}"] = getattr(recipe, name)
        return found

    return read


def check(found, expected):
    expected = BEST | expected
    assert {name: found.get(name, "absent") for name in expected} == expected


def test_every_recipe_is_in_the_table():
    """Whoever adds a recipe writes its numbers down here as well."""
    assert set(RECIPES) == set(trainer_cli.recipe_names())


@pytest.mark.parametrize("name", RECIPES)
def test_a_recipe_says_what_its_paper_says(name, understood):
    arguments = [] if "model" in RECIPES[name] else ["--model=ASNet"]
    if name != "quickstart":
        arguments.append("--data.root=x")
    found = understood(f"--config={name}", *arguments)
    check(found, RECIPES[name])
    drawn = name == "quickstart"
    assert found["data"] == ("SyntheticDataModule" if drawn else "ISICDataModule")


@pytest.mark.parametrize("recipe", ["paper", "common"])
@pytest.mark.parametrize("name", ASNET_ROWS)
def test_a_row_of_asnets_table(name, recipe, understood, tmp_path):
    row_of("asnet-table2", name, recipe, asnet_row(name, recipe), understood, tmp_path)


@pytest.mark.parametrize("recipe", ["paper", "common"])
@pytest.mark.parametrize("name", MOBILEGAN_ROWS)
def test_a_row_of_mobilegans_tables(name, recipe, understood, tmp_path):
    row_of("mobilegan-tables", name, recipe, mobilegan_row(name, recipe), understood, tmp_path)


@pytest.mark.parametrize("recipe", ["paper", "common"])
@pytest.mark.parametrize("side", [64, 128, 256])
def test_a_row_of_mobilegans_sizes(side, recipe, understood, tmp_path):
    expected = mobilegan_row("MobileGAN", recipe) | {"data.size": (side, side)}
    if recipe == "common":
        fast = RECIPES["mobilegan-fast-isic2018"]
        expected |= {name: fast[name] for name in fast if name.startswith("model.")}
        del expected["model.generator_clip"]
    row_of("mobilegan-sizes", f"{side} x {side}", recipe, expected, understood, tmp_path)


def row_of(table_name, name, recipe, expected, understood, tmp_path):
    table = load_table(table_name)
    (row,) = (one for one in table.rows if one.name == name)
    path = tmp_path / "recipe.yaml"
    path.write_text(yaml.safe_dump(table.config(row, recipe, "full")))
    found = understood(f"--config={path}", "--data.root=x")
    check(found, expected)
    assert found["data"] == "ISICDataModule"


def test_every_row_is_checked():
    assert [row.name for row in load_table("asnet-table2").rows] == list(ASNET_ROWS)
    assert [row.name for row in load_table("mobilegan-tables").rows] == list(MOBILEGAN_ROWS)
    assert [row.name for row in load_table("mobilegan-sizes").rows] == [
        *("64 x 64", "128 x 128", "256 x 256")
    ]
    assert load_table("asnet-table2").num_folds == 5
    assert load_table("mobilegan-tables").num_folds is None


def test_the_sizes_are_trained_without_the_test_images():
    assert load_table("mobilegan-sizes").variants == {"leak-free": ["--data.exclude=isic2017-test"]}


def test_the_leak_free_training_leaves_the_test_images_out(understood, tmp_path):
    table = load_table("mobilegan-tables")
    path = tmp_path / "recipe.yaml"
    path.write_text(yaml.safe_dump(table.config(table.rows[0], "paper", "full")))
    excluded = {
        name: understood(f"--config={path}", "--data.root=x", *arguments)["data.exclude"]
        for name, arguments in table.variants.items()
    }
    assert excluded == {"as the paper": None, "leak-free": "isic2017-test"}
