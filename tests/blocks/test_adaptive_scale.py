import golden
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.nn import functional as F

from lesionseg.blocks import AdaptiveScaleModule, ScaleAwareModule


def convolve(x, weight, bias=None, dilation=1):
    """A same-size convolution as one matrix product of unfolded patches."""
    side = weight.shape[-1]
    patches = F.unfold(x, side, padding=dilation * (side // 2), dilation=dilation)
    out = weight.flatten(1) @ patches
    out = out.reshape(len(x), len(weight), *x.shape[2:])
    return out if bias is None else out + bias.view(-1, 1, 1)


def normalized(x, bn):
    return F.batch_norm(x, bn.running_mean, bn.running_var, bn.weight, bn.bias, eps=1e-5)


def naive_scale_aware(module, a, b):
    x = torch.cat([a, b], dim=1)
    for conv in (module.reduce, module.hidden):
        x = convolve(x, conv.weight, conv.bias).clamp(min=0)
    map_a, map_b = convolve(x, module.logits.weight, module.logits.bias).split(1, dim=1)
    weight_a = map_a.exp() / (map_a.exp() + map_b.exp())
    return weight_a * a + (1 - weight_a) * b


def naive_adaptive_scale(module, x, dilations, fusion, share, residual):
    branches = [
        normalized(convolve(x, module.shared.weight, dilation=d), norm)
        for d, norm in zip(dilations, module.norms, strict=True)
    ]
    fused = branches[0]
    for step, branch in enumerate(branches[1:]):
        if fusion == "sum":
            fused = fused + branch
        else:
            fused = naive_scale_aware(module.fusions[0 if share else step], fused, branch)
    kept = x if residual == "additive" else x - module.beta * x
    out = (module.beta * fused + kept).clamp(min=0)
    conv, bn, _ = module.project
    return normalized(convolve(out, conv.weight), bn).clamp(min=0)


def scale_aware_state(vectors, number, prefix=""):
    return {
        f"{prefix}{part}.{kind}": vectors[f"sam{number}_{part}_{kind}"]
        for part in ("reduce", "hidden", "logits")
        for kind in ("weight", "bias")
    }


def test_scale_aware_reproduces_the_golden_vectors(oracles):
    vectors = golden.load(oracles, "adaptive_scale")
    module = ScaleAwareModule(8).double()
    module.load_state_dict(scale_aware_state(vectors, 1))
    out = module(vectors["sam_a"], vectors["sam_b"])
    torch.testing.assert_close(out, vectors["sam1_out"], rtol=0, atol=1e-9)


def test_adaptive_scale_reproduces_the_golden_vectors(oracles):
    vectors = golden.load(oracles, "adaptive_scale")
    module = AdaptiveScaleModule(8).double().eval()
    state = {
        "beta": vectors["beta"],
        "shared.weight": vectors["shared_weight"],
        "project.0.weight": vectors["project_weight"],
    }
    for step in (0, 1):
        state |= scale_aware_state(vectors, step + 1, f"fusions.{step}.")
    for branch in range(3):
        state |= golden.norm_state(vectors, f"branch{branch + 1}_bn", f"norms.{branch}")
    state |= golden.norm_state(vectors, "project_bn", "project.1")
    module.load_state_dict(state)
    golden.assert_reproduces(module, vectors["x"], vectors["out"], vectors["grad_x"])


@settings(deadline=None, max_examples=10)
@given(
    channels=st.integers(2, 9),
    height=st.integers(1, 8),
    width=st.integers(1, 8),
    seed=st.integers(0, 99),
)
def test_scale_aware_equals_the_naive_formula_for_both_inputs(channels, height, width, seed):
    module = golden.randomized(ScaleAwareModule(channels), seed)
    a, b = torch.randn(2, 2, channels, height, width, dtype=torch.float64)
    golden.assert_same_function(
        lambda x: module(x, b), lambda x: naive_scale_aware(module, x, b), a
    )
    golden.assert_same_function(
        lambda x: module(a, x), lambda x: naive_scale_aware(module, a, x), b
    )


def test_scale_aware_stays_between_its_inputs():
    module = golden.randomized(ScaleAwareModule(4))
    a, b = torch.randn(2, 3, 4, 6, 5, dtype=torch.float64)
    out = module(a, b)
    assert (out >= torch.minimum(a, b) - 1e-12).all()
    assert (out <= torch.maximum(a, b) + 1e-12).all()
    torch.testing.assert_close(module(a, a), a)


@pytest.mark.parametrize(
    ("dilations", "fusion", "share", "residual"),
    [
        ((1, 2, 4), "attention", False, "convex"),
        ((1, 2, 4), "attention", True, "convex"),
        ((1, 2, 4), "attention", False, "additive"),
        ((1, 2, 4), "sum", False, "convex"),
        ((1, 1, 1), "attention", False, "convex"),
        ((1, 3), "sum", False, "additive"),
        ((1, 2, 3, 5), "attention", False, "additive"),
    ],
)
def test_adaptive_scale_equals_the_naive_formula(dilations, fusion, share, residual):
    module = golden.randomized(AdaptiveScaleModule(6, dilations, fusion, share, residual))
    x = torch.randn(2, 6, 7, 5, dtype=torch.float64)
    golden.assert_same_function(
        module, lambda x: naive_adaptive_scale(module, x, dilations, fusion, share, residual), x
    )


def test_parameter_counts():
    def count(module):
        return sum(p.numel() for p in module.parameters())

    assert count(ScaleAwareModule(512)) == 1_709_314
    assert count(AdaptiveScaleModule(512)) == 6_044_165
    assert count(AdaptiveScaleModule(512, share_fusion=True)) == 6_044_165 - 1_709_314
    assert count(AdaptiveScaleModule(512, fusion="sum")) == 6_044_165 - 2 * 1_709_314


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"dilations": (1,)}, "dilations"),
        ({"dilations": (0, 1)}, "dilations"),
        ({"fusion": "mean"}, "fusion"),
        ({"residual": "none"}, "residual"),
        ({"fusion": "sum", "share_fusion": True}, "share_fusion"),
        ({"channels": 1}, "channels"),
    ],
)
def test_refuses_impossible_arguments(arguments, message):
    with pytest.raises(ValueError, match=message):
        AdaptiveScaleModule(**{"channels": 4, **arguments})
