"""Optimizers by name."""

import copy

import pytest
import torch
from torch import nn

from lesionseg.models.optimizers import create_optimizer

NAMES = ["sgd", "adam", "adamw"]


def fused(optimizer):
    return [bool(group["fused"]) for group in optimizer.param_groups]


@pytest.mark.parametrize("name", NAMES)
def test_on_a_cpu_the_optimizer_is_fused(name):
    layer = nn.Linear(3, 1)
    groups = [{"params": [layer.weight]}, {"params": [layer.bias], "lr": 0.5}]
    assert fused(create_optimizer(name, layer.parameters(), 0.1)) == [True]
    assert fused(create_optimizer(name, groups, 0.1)) == [True, True]


@pytest.mark.parametrize("name", NAMES)
def test_with_weights_elsewhere_pytorch_chooses(name):
    weights = [nn.Parameter(torch.zeros(3)), nn.Parameter(torch.zeros(3, device="meta"))]
    assert create_optimizer(name, weights, 0.1).param_groups[0]["fused"] is None


@pytest.mark.parametrize("name", NAMES)
def test_it_goes_on_from_the_state_of_one_that_was_not_fused(name):
    def step(weight, optimizer):
        weight.grad = torch.tensor([1.0, -2.0])
        optimizer.step()

    plain_class = {"sgd": torch.optim.SGD, "adam": torch.optim.Adam, "adamw": torch.optim.AdamW}
    rates = {"momentum": 0.9} if name == "sgd" else {"betas": (0.9, 0.999)}
    earlier, now = (nn.Parameter(torch.tensor([0.5, 0.25])) for _ in range(2))
    plain = plain_class[name]([earlier], lr=0.1, weight_decay=0.01, **rates)
    step(earlier, plain)
    optimizer = create_optimizer(name, [now], 0.1, weight_decay=0.01)
    step(now, optimizer)
    torch.testing.assert_close(now, earlier)
    optimizer.load_state_dict(copy.deepcopy(plain.state_dict()))
    step(earlier, plain)
    step(now, optimizer)
    torch.testing.assert_close(now, earlier)
