"""Golden vectors: what a block must reproduce, and the gradient they were made with."""

from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor, nn


def load(oracles: Path | None, name: str) -> dict[str, Tensor]:
    if oracles is None:
        pytest.skip("golden vectors not found beside the checkout")
    with np.load(oracles / f"{name}.npz") as arrays:
        return {key: torch.from_numpy(arrays[key]) for key in arrays.files}


def norm_state(vectors: dict[str, Tensor], name: str, target: str) -> dict[str, Tensor]:
    """A batch normalization's entries of a state dict."""
    names = {"weight": "weight", "bias": "bias", "mean": "running_mean", "var": "running_var"}
    state = {f"{target}.{new}": vectors[f"{name}_{old}"] for old, new in names.items()}
    return {**state, f"{target}.num_batches_tracked": torch.tensor(0)}


def output_and_gradient(call, x: Tensor) -> tuple[Tensor, Tensor]:
    """Output, and the gradient of sum(out * linspace(-1, 1)) at the input."""
    x = x.clone().requires_grad_()
    out = call(x)
    weights = torch.linspace(-1, 1, out.numel(), dtype=out.dtype).view_as(out)
    (gradient,) = torch.autograd.grad((out * weights).sum(), x)
    return out.detach(), gradient


def assert_reproduces(call, x: Tensor, out: Tensor, gradient: Tensor) -> None:
    got_out, got_gradient = output_and_gradient(call, x)
    torch.testing.assert_close(got_out, out, rtol=0, atol=1e-9)
    torch.testing.assert_close(got_gradient, gradient, rtol=0, atol=1e-9)


def assert_same_function(first, second, x: Tensor) -> None:
    assert_reproduces(first, x, *output_and_gradient(second, x))


def randomized(module: nn.Module, seed: int = 0) -> nn.Module:
    """The module in float64 and eval mode, all parameters and statistics drawn anew."""
    module = module.double().eval()
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for name, tensor in module.state_dict().items():
            if tensor.is_floating_point():
                draw = torch.randn(tensor.shape, generator=generator, dtype=tensor.dtype)
                tensor.copy_(0.3 * draw)
                if name.endswith("running_var"):
                    tensor.abs_().add_(0.2)
    return module
