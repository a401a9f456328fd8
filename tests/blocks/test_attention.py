import shutil
import subprocess
import sys

import golden
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.nn import functional as F
from torch.nn.attention import SDPBackend, sdpa_kernel

from lesionseg.blocks import CAM, PAM, ChannelAttentionModule, PositionAttentionModule

FUSED = [SDPBackend.FLASH_ATTENTION, SDPBackend.EFFICIENT_ATTENTION]


def naive_position(module, x):
    n, c, h, w = x.shape
    q, k, v = (conv(x).reshape(n, -1, h * w) for conv in (module.query, module.key, module.value))
    attention = torch.einsum("nci,ncj->nij", q, k).softmax(dim=2)
    attended = torch.einsum("nij,ncj->nci", attention, v)
    return module.gamma * attended.reshape(n, c, h, w) + x


def naive_pooled_position(module, x, stride, pooling):
    """Keys and values of all pixels, pooled square by square, whatever sticks out left away."""
    n, c, h, w = x.shape
    reduce = {"average": torch.mean, "max": torch.amax}[pooling]
    key, value = (
        torch.stack(
            [
                reduce(maps[:, :, top : top + stride, left : left + stride], dim=(2, 3))
                for top in range(0, h, stride)
                for left in range(0, w, stride)
            ],
            dim=2,
        )
        for maps in (module.key(x), module.value(x))
    )
    query = module.query(x).reshape(n, -1, h * w)
    energy = torch.exp(torch.einsum("nci,ncj->nij", query, key))
    attended = torch.einsum("nij,ncj->nci", energy / energy.sum(2, keepdim=True), value)
    return module.gamma * attended.reshape(n, c, h, w) + x


def naive_channel(gamma, x):
    out = []
    for image in x:
        flat = image.reshape(len(image), -1)
        energy = flat @ flat.T
        weights = torch.exp(energy.min(1, keepdim=True).values - energy)
        weights = weights / weights.sum(1, keepdim=True)
        out.append((weights @ flat).reshape(image.shape))
    return gamma * torch.stack(out) + x


def test_short_names():
    assert PAM is PositionAttentionModule
    assert CAM is ChannelAttentionModule


def test_position_attention_reproduces_the_golden_vectors(oracles):
    vectors = golden.load(oracles, "position_attention")
    module = PAM(16).double()
    state = {"gamma": vectors["gamma"]}
    for part in ("query", "key", "value"):
        state[f"{part}.weight"] = vectors[f"{part}_weight"]
        state[f"{part}.bias"] = vectors[f"{part}_bias"]
    module.load_state_dict(state)
    golden.assert_reproduces(module, vectors["x"], vectors["out"], vectors["grad_x"])


def test_channel_attention_reproduces_the_golden_vectors(oracles):
    vectors = golden.load(oracles, "channel_attention")
    module = CAM().double()
    module.load_state_dict({"gamma": vectors["gamma"]})
    golden.assert_reproduces(module, vectors["x"], vectors["out"], vectors["grad_x"])


@settings(deadline=None, max_examples=15)
@given(
    channels=st.integers(1, 20),
    reduction=st.integers(1, 8),
    height=st.integers(1, 9),
    width=st.integers(1, 9),
    seed=st.integers(0, 99),
)
def test_position_attention_equals_the_naive_formula(channels, reduction, height, width, seed):
    module = golden.randomized(PAM(channels, min(channels, reduction)), seed)
    x = torch.randn(2, channels, height, width, dtype=torch.float64)
    golden.assert_same_function(module, lambda x: naive_position(module, x), x)


@settings(deadline=None, max_examples=15)
@given(
    stride=st.integers(1, 4),
    pooling=st.sampled_from(["average", "max"]),
    height=st.integers(1, 9),
    width=st.integers(1, 9),
    seed=st.integers(0, 99),
)
def test_pooled_position_attention_equals_the_naive_formula(stride, pooling, height, width, seed):
    module = golden.randomized(PAM(12, 4, stride, pooling), seed)
    x = torch.randn(2, 12, height, width, dtype=torch.float64)
    golden.assert_same_function(
        module, lambda x: naive_pooled_position(module, x, stride, pooling), x
    )


@pytest.mark.parametrize("pooling", ["average", "max"])
def test_pooling_the_keys_adds_no_parameter(pooling):
    plain, pooled = PAM(16), PAM(16, key_stride=2, key_pooling=pooling)
    shapes = {name: tuple(tensor.shape) for name, tensor in plain.state_dict().items()}
    assert shapes == {name: tuple(tensor.shape) for name, tensor in pooled.state_dict().items()}


@settings(deadline=None, max_examples=15)
@given(
    channels=st.integers(1, 20),
    height=st.integers(1, 9),
    width=st.integers(1, 9),
    seed=st.integers(0, 99),
)
def test_channel_attention_equals_the_naive_formula(channels, height, width, seed):
    module = golden.randomized(CAM(), seed)
    x = torch.randn(2, channels, height, width, dtype=torch.float64)
    golden.assert_same_function(module, lambda x: naive_channel(module.gamma, x), x)


def test_position_attention_gradients_of_parameters_equal_the_naive_ones():
    module = golden.randomized(PAM(16))
    x = torch.randn(2, 16, 6, 5, dtype=torch.float64)
    names, parameters = zip(*module.named_parameters(), strict=True)
    fused = torch.autograd.grad(module(x).pow(2).sum(), parameters)
    naive = torch.autograd.grad(naive_position(module, x).pow(2).sum(), parameters)
    for name, one, other in zip(names, fused, naive, strict=True):
        torch.testing.assert_close(one, other, rtol=1e-9, atol=1e-9, msg=name)


@pytest.mark.parametrize("module", [PAM(16), CAM()])
def test_new_attention_is_the_identity(module):
    x = torch.randn(2, 16, 6, 5)
    torch.testing.assert_close(module(x), x, rtol=0, atol=0)


@pytest.mark.parametrize("memory_format", [torch.contiguous_format, torch.channels_last])
@pytest.mark.parametrize(("channels", "key_stride"), [(8, 1), (12, 1), (32, 1), (12, 2), (32, 4)])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64, torch.bfloat16, torch.float16])
def test_position_attention_runs_on_the_fused_kernel(channels, key_stride, dtype, memory_format):
    module = PAM(channels, key_stride=key_stride).to(dtype)
    x = torch.randn(2, channels, 6, 5, dtype=dtype).to(memory_format=memory_format)
    with sdpa_kernel(FUSED):  # raises where only the math path would do
        module(x.requires_grad_()).float().sum().backward()


def test_forbidding_the_math_path_does_catch_the_plain_call():
    q, v = torch.randn(1, 1, 30, 4), torch.randn(1, 1, 30, 32)
    with sdpa_kernel(FUSED), pytest.raises(RuntimeError, match="kernel"):
        F.scaled_dot_product_attention(q, q, v, scale=1.0)


MEMORY = """
import torch
from lesionseg.blocks import PAM

def peak():
    with open("/proc/self/status") as status:
        return next(int(line.split()[1]) for line in status if line.startswith("VmHWM")) * 1024

torch.set_num_threads(1)
module = PAM(32)
torch.nn.init.ones_(module.gamma)
module(torch.rand(1, 32, 4, 4)).sum().backward()
before = peak()
module(torch.rand(1, 32, {side}, {side}, requires_grad=True)).sum().backward()
print(peak() - before)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="reads the peak memory from /proc")
def test_position_attention_never_holds_the_map_of_pixel_pairs():
    side = 128
    command = [sys.executable, "-c", MEMORY.format(side=side)]
    grown = int(subprocess.run(command, check=True, capture_output=True, text=True).stdout)
    # The naive formula needs four such maps of 1 GiB to train.
    assert grown < (side * side) ** 2 * 4 / 8


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
@pytest.mark.parametrize("key_stride", [1, 2])
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16, torch.float16])
def test_position_attention_runs_on_the_fused_kernel_of_a_gpu(dtype, key_stride):
    side, module = 128, PAM(32, key_stride=key_stride).to("cuda", dtype)
    x = torch.randn(1, 32, side, side, device="cuda", dtype=dtype, requires_grad=True)
    torch.cuda.reset_peak_memory_stats()
    with sdpa_kernel(FUSED):
        module(x).sum().backward()
    assert torch.cuda.max_memory_allocated() < (side * side) ** 2 * x.element_size() / 4


@pytest.mark.slow
@pytest.mark.skipif(not shutil.which("g++"), reason="inductor needs a C++ compiler")
def test_attention_trains_when_compiled_by_inductor():
    torch.compiler.reset()
    torch.manual_seed(0)
    plain = torch.nn.Sequential(PAM(12, 4), CAM())
    for module in plain:
        torch.nn.init.constant_(module.gamma, 0.3)
    compiled = torch.compile(plain, fullgraph=True)
    parameters = list(plain.parameters())
    x = torch.randn(2, 12, 6, 5)
    torch.testing.assert_close(compiled(x), plain(x), rtol=1e-4, atol=1e-5)
    for one, other in zip(
        torch.autograd.grad(compiled(x).square().sum(), parameters),
        torch.autograd.grad(plain(x).square().sum(), parameters),
        strict=True,
    ):
        torch.testing.assert_close(one, other, rtol=1e-3, atol=1e-3)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_channel_attention_does_not_overflow_in_half_precision(dtype):
    x = 30 * torch.rand(1, 8, 128, 128, generator=torch.Generator().manual_seed(0))
    assert (x.flatten(2) @ x.flatten(2).mT).max() > torch.finfo(torch.float16).max
    x = x.to(dtype)
    module = CAM().to(dtype)
    torch.nn.init.constant_(module.gamma, 0.5)
    out = module(x.requires_grad_())
    out.float().sum().backward()
    assert out.dtype == dtype
    assert x.grad.isfinite().all()
    expected = naive_channel(0.5, x.detach().double())
    torch.testing.assert_close(out.double(), expected, rtol=2e-2, atol=0.1)


def test_channel_attention_keeps_its_precision_under_autocast():
    module = CAM()
    torch.nn.init.constant_(module.gamma, 0.5)
    # Energies about 1e4 that differ by about 1: bfloat16 would round the differences away.
    x = 1 + 1e-3 * torch.randn(1, 4, 100, 100, generator=torch.Generator().manual_seed(0))
    plain = module(x)
    with torch.autocast("cpu", torch.bfloat16):
        lowered = module(x)
    torch.testing.assert_close(lowered, plain, rtol=0, atol=0)


def test_channel_attention_multiplies_no_denormal_numbers():
    module = CAM()
    torch.nn.init.constant_(module.gamma, 0.5)
    # Energies 0 and 95: exp(-95) is not 0 in float32, but less than its least normal number.
    x = (torch.eye(2) * 95**0.5).reshape(1, 2, 1, 2).requires_grad_()
    saved = []

    def keep(tensor):
        saved.append(tensor)
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor):
        module(x).sum().backward()
    assert any(tensor.shape == (1, 2, 2) for tensor in saved)
    for tensor in saved:
        if tensor.is_floating_point():
            assert not ((tensor != 0) & (tensor.abs() < torch.finfo(tensor.dtype).tiny)).any()
    torch.testing.assert_close(module(x), naive_channel(0.5, x))


@pytest.mark.parametrize(("channels", "reduction"), [(4, 8), (8, 0)])
def test_position_attention_refuses_an_impossible_reduction(channels, reduction):
    with pytest.raises(ValueError, match="reduction"):
        PAM(channels, reduction)


def pooled_attention(pooling):
    module = PAM(8, key_stride=2, key_pooling=pooling).eval()
    torch.nn.init.constant_(module.gamma, 0.5)
    return module


def rounds_up(program):
    """Whether the poolings of an exported program are in ceil_mode."""
    found = set()
    for node in program.graph.nodes:
        for name, place in (("avg_pool2d", 4), ("max_pool2d", 5)):
            if name in str(node.target):
                found.add(bool(node.args[place]) if len(node.args) > place else False)
    (only,) = found
    return only


@pytest.mark.parametrize("pooling", ["average", "max"])
@pytest.mark.parametrize(("height", "width", "fits"), [(6, 8, True), (7, 8, False), (6, 9, False)])
def test_squares_that_fit_are_pooled_without_rounding_up(pooling, height, width, fits):
    images = (torch.rand(2, 8, height, width),)
    assert rounds_up(torch.export.export(pooled_attention(pooling), images)) is not fits


@pytest.mark.parametrize("pooling", ["average", "max"])
@pytest.mark.parametrize("strict", [False, True])
def test_pooled_keys_are_exported_for_any_size(pooling, strict):
    module, free = pooled_attention(pooling), torch.export.Dim.AUTO
    images, shapes = (torch.rand(2, 8, 6, 8),), ({2: free, 3: free},)
    program = torch.export.export(module, images, dynamic_shapes=shapes, strict=strict)
    assert rounds_up(program)
    x = torch.rand(2, 8, 9, 13)
    torch.testing.assert_close(program.module()(x), module(x))


def test_channel_attention_is_exported_without_copies():
    program = torch.export.export(CAM(), (torch.rand(1, 4, 6, 8),)).run_decompositions()
    names = {str(node.target) for node in program.graph.nodes}
    assert "aten.bmm.default" in names
    assert not any(name.startswith(("aten.expand", "aten.where")) for name in names)


@pytest.mark.parametrize(
    ("arguments", "message"), [({"key_stride": 0}, "key_stride"), ({"key_pooling": "min"}, "min")]
)
def test_position_attention_refuses_an_impossible_pooling(arguments, message):
    with pytest.raises(ValueError, match=message):
        PAM(8, **arguments)
