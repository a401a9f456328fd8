"""A fit's saved configuration, given to the other commands of the Trainer."""

import pytest
import yaml

from lesionseg.cli.help.classes import CALLBACKS
from lesionseg.cli.recipes import config_for

SAVED = {
    "seed_everything": 0,
    "ckpt_path": "last",
    "trainer": {"max_epochs": 3},
    "model": {"class_path": "ASNet"},
    "data": {"class_path": "SyntheticDataModule"},
    "checkpoint": {"monitor": "val/jaccard"},
    "overlays": {"images": 4},
}


@pytest.mark.parametrize("command", ["validate", "test", "predict"])
def test_another_command_takes_all_but_the_fits_own(command, tmp_path):
    path = tmp_path / "config.yaml"
    path.write_text(yaml.safe_dump(SAVED))
    kept = yaml.safe_load(config_for(str(path), command))
    assert kept == {key: SAVED[key] for key in ("seed_everything", "trainer", "model", "data")}
    assert config_for(str(path), "fit") == str(path)


@pytest.mark.parametrize(
    ("fitted", "tested"),
    [("bf16-mixed", "32-true"), ("16-mixed", "32-true"), ("64-true", "64-true"), (None, None)],
)
def test_scores_do_not_depend_on_the_mixed_precision_of_a_fit(fitted, tested, tmp_path):
    path = tmp_path / "config.yaml"
    path.write_text(yaml.safe_dump(SAVED | {"trainer": {"max_epochs": 3, "precision": fitted}}))
    kept = yaml.safe_load(config_for(str(path), "test"))
    assert kept["trainer"] == {"max_epochs": 3, "precision": tested}
    assert config_for(str(path), "fit") == str(path)


def test_other_files_stay_as_they_are(tmp_path):
    path = tmp_path / "test.yaml"
    asked = {"ckpt_path": "a.ckpt", "report": {}, "trainer": {"precision": "bf16-mixed"}}
    for text in (yaml.safe_dump(asked), "- a", "a: [", ""):
        path.write_text(text)
        assert config_for(str(path), "test") == str(path)
    assert config_for("absent.yaml", "test") == "absent.yaml"


def test_no_other_command_has_the_fits_own():
    others = [CALLBACKS[name] for name in ("validate", "test", "predict")]
    assert CALLBACKS["fit"]
    assert all(CALLBACKS["fit"].keys().isdisjoint(one) for one in others)
