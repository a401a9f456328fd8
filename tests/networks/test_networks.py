"""The tester that every network of the registry must pass."""

import json
import subprocess
import sys

import pytest
import torch
from torch.nn.attention import SDPBackend, sdpa_kernel
from variants import BFLOAT16_SIDES, BFLOAT16_TOLERANCE, SIDES, VARIANTS

from lesionseg.networks import create_network, network_names


def build(variant: str):
    """A network of random weights whose attention is switched on."""
    torch.manual_seed(0)
    network = VARIANTS[variant].create()
    with torch.no_grad():
        for name, parameter in network.named_parameters():
            if name.endswith((".gamma", ".beta")):
                parameter.fill_(0.3)
    return network


# Scope "module" groups the tests by network, so that only one of them is in memory at a time.
@pytest.fixture(scope="module", params=VARIANTS)
def any_network(request):
    """A registered network, or one of its options."""
    return build(request.param)


@pytest.fixture(scope="module", params=[*network_names(), "smp:unet/resnet34"])
def network(request):
    """A registered network."""
    return build(request.param)


def images(network, count=1, size=None):
    side = max(SIDES.get(network.spec["name"], 64), network.size_multiple)
    shape = (count, 3, *(size or (side, side)))
    return torch.rand(shape, generator=torch.Generator().manual_seed(1))


def test_all_registered_networks_are_tested():
    assert set(network_names()) <= set(VARIANTS)


def test_parameter_count(any_network):
    expected = VARIANTS[variant_of(any_network)].count
    assert sum(p.numel() for p in any_network.parameters()) == expected


def variant_of(network):
    spec = network.spec
    return next(
        key
        for key, variant in VARIANTS.items()
        if variant.name == spec["name"]
        and json.dumps(variant.arguments) == json.dumps(spec["arguments"])
    )


@torch.inference_mode()
def test_any_multiple_of_the_size_works(any_network):
    any_network.eval()
    multiple, least = any_network.size_multiple, any_network.minimum_size
    for size in [(least, least), (least + multiple, least), (least, least + 7 * multiple)]:
        logits = any_network(images(any_network, 2, size))
        assert logits.shape == (2, 1, *size)
        assert logits.isfinite().all()


def test_odd_sizes_are_refused_by_their_multiple(any_network):
    multiple, least = any_network.size_multiple, any_network.minimum_size
    if multiple == 1:
        pytest.skip("any size works")
    for size in [(least + 1, least), (least, least + multiple - 1)]:
        with pytest.raises(ValueError, match=f"multiples of {multiple}, got {size[0]} x {size[1]}"):
            any_network(images(any_network, 1, size))


def test_other_images_are_refused(network):
    least = network.minimum_size
    for size in [(least - 1, least), (least, least - 1)]:
        with pytest.raises(ValueError, match=f"at least {least}"):
            network(images(network, 1, size))
    with pytest.raises(ValueError, match=r"\(N, 3, H, W\)"):
        network(images(network)[:, :1])
    with pytest.raises(ValueError, match=r"\(N, 3, H, W\)"):
        network(images(network)[0])


def test_every_parameter_gets_a_gradient(any_network):
    any_network.train().zero_grad()
    state = {key: value.clone() for key, value in any_network.state_dict().items()}
    seen = input_sizes(any_network)
    any_network(images(any_network, 2)).square().mean().backward()
    any_network.load_state_dict(state)  # the statistics of the normalizations
    without = [
        name
        for name, parameter in any_network.named_parameters()
        if parameter.grad is None or not parameter.grad.isfinite().all()
    ]
    assert without == []
    # Without dilation all branches start alike, and there is nothing to choose between.
    alike = "fusions" if variant_of(any_network) == "asnet-without-dilation" else None
    # A bias right before a batch normalization, and a key's, cannot matter; any weight does.
    flat = [
        name
        for name, parameter in any_network.named_parameters()
        if parameter.ndim > 1 and not parameter.grad.any() and alike not in name.split(".")
    ]
    wrong = [
        name
        for name, (convolution, size) in seen.items()
        if (trained_positions(convolution) != positions_that_read_the_map(convolution, size)).any()
        and alike not in name.split(".")
    ]
    any_network.zero_grad()
    assert flat == []
    assert wrong == []


def input_sizes(network):
    """A dict that the next pass fills with each convolution and its input's size, by name."""
    seen, hooks = {}, {}
    for name, module in network.named_modules():
        if type(module) is torch.nn.Conv2d:

            def note(module, inputs, name=name):
                seen[name] = module, inputs[0].shape[-2:]
                hooks[name].remove()

            hooks[name] = module.register_forward_pre_hook(note)
    return seen


def trained_positions(convolution):
    """Which positions of a kernel have a gradient for any pair of channels: (height, width)."""
    return convolution.weight.grad.flatten(0, 1).any(dim=0)


def positions_that_read_the_map(convolution, size):
    """Which positions of a kernel ever lie on a map of this size, and not only on padding."""
    axes = []
    for axis, length in enumerate(size):
        kernel, stride, dilation, padding = (
            getattr(convolution, name)[axis]
            for name in ("kernel_size", "stride", "dilation", "padding")
        )
        if convolution.padding == "same":
            padding = dilation * (kernel - 1) // 2
        starts = range(-padding, length + padding - dilation * (kernel - 1), stride)
        axes.append(
            torch.tensor(
                [
                    any(0 <= start + dilation * tap < length for start in starts)
                    for tap in range(kernel)
                ]
            )
        )
    return axes[0][:, None] & axes[1]


def test_image_gets_a_gradient_and_stays_as_it_was(network):
    network.eval()
    image = images(network).requires_grad_()
    before = image.detach().clone()
    network(image).mean().backward()
    assert image.grad.isfinite().all()
    assert image.grad.any()
    assert (image == before).all()
    network.zero_grad()


def test_eval_is_deterministic_and_treats_images_one_by_one(network):
    network.eval()
    batch = images(network, 3)
    with torch.inference_mode():
        logits = network(batch)
        torch.testing.assert_close(network(batch), logits, rtol=0, atol=0)
        tolerance = 1e-4 * logits.abs().max().item()  # random weights: up to 800 in MultiResUNet
        torch.testing.assert_close(network(batch[1:2]), logits[1:2], rtol=0, atol=tolerance)


def test_bfloat16_autocast(network):
    network.eval()
    side = BFLOAT16_SIDES.get(network.spec["name"])
    image = images(network, size=side and (side, side))
    logits = network(image)
    with torch.autocast("cpu", torch.bfloat16):
        low = network(image)
    low.float().mean().backward()
    assert low.shape == logits.shape
    tolerance = BFLOAT16_TOLERANCE.get(network.spec["name"], 0.05)
    assert (low.float() - logits).abs().mean() < tolerance * logits.abs().mean()
    gradients = [p.grad for p in network.parameters() if p.grad is not None]
    network.zero_grad()
    assert all(gradient.isfinite().all() for gradient in gradients)


def test_attention_runs_on_the_fused_kernel(any_network):
    any_network.eval()
    fused = [SDPBackend.FLASH_ATTENTION, SDPBackend.EFFICIENT_ATTENTION]
    with torch.inference_mode(), sdpa_kernel(fused):
        assert any_network(images(any_network)).isfinite().all()


@torch.inference_mode()
def test_spec_and_state_dict_survive_a_file(network, tmp_path):
    path = tmp_path / "network.pt"
    torch.save({"spec": network.spec, "weights": network.state_dict()}, path)
    saved = torch.load(path, weights_only=True)
    path.unlink()  # up to half a gigabyte
    assert saved["spec"] == json.loads(json.dumps(network.spec))
    again = create_network(saved["spec"]["name"], **saved["spec"]["arguments"]).eval()
    image, expected = images(network), network.eval()(images(network))
    assert not torch.allclose(again(image), expected)
    again.load_state_dict(saved["weights"])
    torch.testing.assert_close(again(image), expected, rtol=0, atol=0)


def test_normalization_is_inside(network, monkeypatch):
    state = network.state_dict()
    mean, std = state["normalize.mean"], state["normalize.std"]
    assert mean.shape == std.shape == (1, 3, 1, 1)
    network.eval()
    image, inside = images(network), network.normalize
    with torch.inference_mode():
        expected = network(image)
        network.normalize = torch.nn.Identity()
        monkeypatch.setattr(network, "check_image", lambda image: None)  # it refuses such images
        try:
            outside = network((image - mean) / std)
        finally:
            network.normalize = inside
    torch.testing.assert_close(outside, expected)


@torch.inference_mode()
def test_channels_last(network):
    network.eval()
    image = images(network)
    there = network(image.to(memory_format=torch.channels_last))
    torch.testing.assert_close(there, network(image), rtol=1e-3, atol=1e-4)


@pytest.mark.slow
def test_compiles_to_one_graph(network):
    torch.compiler.reset()
    network.eval()
    compiled = torch.compile(network, backend="eager", fullgraph=True)
    with torch.no_grad():
        torch.testing.assert_close(compiled(images(network)), network(images(network)))


@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning")
def test_exports(network):
    network.eval()
    image = images(network)
    program = torch.export.export(network, (image,))
    with torch.no_grad():
        torch.testing.assert_close(program.module()(image), network(image), rtol=0, atol=1e-6)


def run(code: str) -> None:
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert result.returncode == 0, result.stderr


def test_networks_need_no_lightning():
    run(
        "import sys, lesionseg.networks as networks\n"
        "for name in networks.__all__: getattr(networks, name)\n"
        "networks.create_network('mobilegan')\n"
        "loaded = {name.split('.')[0] for name in sys.modules}\n"
        "unwanted = loaded & {'lightning', 'pytorch_lightning', 'segmentation_models_pytorch'}\n"
        "assert not unwanted, unwanted"
    )


def test_listing_the_names_needs_no_torch():
    run(
        "import sys, lesionseg.networks as networks\n"
        "assert networks.network_names()\n"
        "assert 'torch' not in sys.modules"
    )
