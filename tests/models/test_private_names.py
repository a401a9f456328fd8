"""Names that Lightning and torch do not document, on which the models rely."""

import inspect

import lightning
import pytest
import torch
from lightning.pytorch import Trainer
from lightning.pytorch import cli as lightning_cli
from lightning.pytorch.core import saving
from lightning.pytorch.loops import progress
from lightning.pytorch.strategies import DDPStrategy

LIGHTNING = f"lightning {lightning.__version__} no longer has"


def test_ddp_keeps_its_options():
    strategy = DDPStrategy(find_unused_parameters=False)
    options = getattr(strategy, "_ddp_kwargs", None)
    assert options == {"find_unused_parameters": False}, (
        f"{LIGHTNING} DDPStrategy._ddp_kwargs; see lesionseg/models/alternating.py"
    )


@pytest.mark.parametrize(
    "name",
    [
        "setup_data",
        "restarted_mid_epoch",
        "epoch_loop.batch_progress.is_last_batch",
        "epoch_loop.batch_progress.current.processed",
        "epoch_loop.restarted_on_train_batch_end",
    ],
)
def test_the_fit_loop_counts_batches(name):
    loop = Trainer(accelerator="cpu", logger=False, enable_checkpointing=False).fit_loop
    for part in name.split("."):
        assert hasattr(loop, part), (
            f"{LIGHTNING} Trainer.fit_loop.{name}; see lesionseg/models/planning.py"
        )
        loop = getattr(loop, part)


def test_progress_counts_what_is_processed():
    assert "processed" in inspect.signature(progress._ProcessedTracker).parameters, (
        f"{LIGHTNING} a count of processed batches; see lesionseg/models/planning.py"
    )


def test_hyperparameters_of_the_command_line_name_their_class():
    assert '"_class_path"' in inspect.getsource(lightning_cli), (
        f"{LIGHTNING} the hyperparameter _class_path; see lesionseg/models/checkpointing.py"
    )
    assert '"_instantiator"' in inspect.getsource(saving), (
        f"{LIGHTNING} the hyperparameter _instantiator; see lesionseg/models/checkpointing.py"
    )


def test_a_compiled_module_has_the_original():
    module = torch.nn.Linear(1, 1)
    compiled = torch.compile(module)
    message = (
        f"torch {torch.__version__} no longer has _orig_mod in compiled modules; see "
        "lesionseg/models/checkpointing.py"
    )
    assert getattr(compiled, "_orig_mod", None) is module, message
    assert set(compiled.state_dict()) == {"_orig_mod.weight", "_orig_mod.bias"}, message
