"""What a checkpoint may name, and what a command line gives."""

import pytest

from lesionseg.cli.options import model_of
from lesionseg.errors import CheckpointError


def test_a_class_of_this_package_needs_no_model():
    stored = {"_class_path": "lesionseg.models.asnet.ASNet", "threshold": 0.25}
    assert model_of(stored, None, "best.ckpt") == {
        "class_path": "lesionseg.models.asnet.ASNet",
        "init_args": {"threshold": 0.25},
    }


def test_a_class_of_another_package_must_be_named():
    stored = {"_class_path": "lesionseg_like.models.Model"}
    with pytest.raises(CheckpointError, match=r"--model lesionseg_like\.models\.Model"):
        model_of(stored, None, "best.ckpt")
    assert model_of(stored, "lesionseg_like.models.Model", "best.ckpt")["init_args"] == {}
    assert model_of(stored, "ASNet", "best.ckpt") == {}


@pytest.mark.parametrize("hidden", [{"class_path": "os.system"}, [{"x": "class_path: os.system"}]])
def test_an_argument_that_names_a_class_is_refused(hidden):
    stored = {"_class_path": "lesionseg.models.asnet.ASNet", "loss": hidden}
    with pytest.raises(CheckpointError, match="names a class"):
        model_of(stored, None, "best.ckpt")
