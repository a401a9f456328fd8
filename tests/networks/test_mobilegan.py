import pytest
import torch
from torch import nn

from lesionseg.blocks import PositionAttentionModule
from lesionseg.networks import MobileGANGenerator


@pytest.fixture(scope="module")
def generator():
    torch.manual_seed(0)
    return MobileGANGenerator()


@pytest.fixture
def image():
    return torch.rand(2, 3, 32, 40)


def modes(network):
    return [module.training for module in network.modules()]


@torch.no_grad()
def test_monte_carlo_draws_differ_and_eval_does_not(generator, image):
    generator.eval()
    draws = generator.monte_carlo(image, 3)
    assert draws.shape == (3, 2, 1, 32, 40)
    assert (draws.std(dim=0) > 0).any()
    torch.testing.assert_close(generator(image), generator(image), rtol=0, atol=0)


@torch.no_grad()
@pytest.mark.parametrize("decoder", ["serial", "parallel"])
@pytest.mark.parametrize("training", [True, False])
def test_monte_carlo_uses_only_the_decoders_dropout(image, training, decoder):
    # Without z the draws are the network in eval mode, whatever its mode: no dropout of the
    # encoder, no batch statistics, no update of the running ones.
    generator = MobileGANGenerator(z_dropout=0.0, decoder=decoder)
    generator.train()(image)
    expected = generator.eval()(image)
    state = {key: value.clone() for key, value in generator.state_dict().items()}
    draws = generator.train(training).monte_carlo(image, 2)
    for draw in draws:
        torch.testing.assert_close(draw, expected)
    for key, value in generator.state_dict().items():
        torch.testing.assert_close(value, state[key], rtol=0, atol=0)


@torch.no_grad()
def test_z_is_in_every_factorized_block_of_the_decoder_and_nowhere_else(generator):
    probabilities = {
        name: module.p
        for name, module in generator.named_modules()
        if isinstance(module, nn.Dropout2d)
    }
    decoder = [p for name, p in probabilities.items() if name.startswith("decoder.")]
    encoder = [p for name, p in probabilities.items() if name.startswith("encoder.")]
    assert decoder == [0.3] * 4
    assert encoder == [0.03] * 4 + [0.3] * 8 + [0.0]
    other = MobileGANGenerator(z_dropout=0.6)
    assert {m.p for m in other.decoder.modules() if isinstance(m, nn.Dropout2d)} == {0.6}


@torch.no_grad()
@pytest.mark.parametrize("training", [True, False])
def test_monte_carlo_restores_every_mode(generator, image, training):
    generator.train(training)
    generator.scales.train(not training)  # a part that somebody froze stays as it was
    before = modes(generator)
    generator.monte_carlo(image, 1)
    assert modes(generator) == before
    with pytest.raises(ValueError, match="multiples of 8"):
        generator.monte_carlo(image[..., :-1], 1)
    assert modes(generator) == before


@pytest.mark.parametrize("samples", [0, -1])
def test_monte_carlo_needs_a_sample(generator, image, samples):
    with pytest.raises(ValueError, match="samples"):
        generator.monte_carlo(image, samples)


def test_monte_carlo_is_seeded_and_differentiable(generator, image):
    generator.eval()
    torch.manual_seed(3)
    first = generator.monte_carlo(image, 2)
    torch.manual_seed(3)
    torch.testing.assert_close(generator.monte_carlo(image, 2), first, rtol=0, atol=0)
    assert first.requires_grad


@torch.no_grad()
@pytest.mark.parametrize(("stride", "multiple", "side"), [(1, 8, 16), (2, 64, 2)])
def test_bottleneck(stride, multiple, side):
    generator = MobileGANGenerator(cda_stride=stride).eval()
    assert generator.size_multiple == multiple
    shapes = []
    generator.encoder.register_forward_hook(lambda m, i, out: shapes.append(tuple(out.shape)))
    assert generator(torch.rand(1, 3, 128, 128)).shape == (1, 1, 128, 128)
    assert shapes == [(1, 128, side, side)]


def test_position_attention_sits_where_the_paper_puts_it(generator):
    widths = [
        m.value.out_channels for m in generator.modules() if isinstance(m, PositionAttentionModule)
    ]
    assert widths == [32, 64, 128, 128, 64, 32]


def test_deep_dilations(generator):
    dilations = [m.conv3.dilation[0] for m in generator.encoder.modules() if hasattr(m, "conv3")]
    assert dilations == [1] * 4 + [2, 4, 8, 16] * 2 + [1]


def key_strides(**arguments):
    """Channels and stride of each position attention, in order."""
    return [
        (m.value.out_channels, m.key_stride, m.key_pooling)
        for m in MobileGANGenerator(**arguments).modules()
        if isinstance(m, PositionAttentionModule)
    ]


def test_keys_are_pooled_where_there_are_many_positions():
    strides = key_strides(key_stride=4, key_pooling="max")
    assert [(width, stride) for width, stride, _ in strides] == [
        *((32, 4), (64, 4), (128, 1), (128, 1)),  # 64 x 64, 32 x 32, 16 x 16 at 128 x 128
        *((64, 4), (32, 4)),
    ]
    assert {pooling for *_, pooling in strides} == {"max"}
    # 32 x 32, 8 x 8, 2 x 2, and back
    literal = key_strides(key_stride=2, cda_stride=2)
    assert [stride for _, stride, _ in literal] == [2, 1, 1, 1, 1, 1]
    parallel = key_strides(key_stride=2, decoder="parallel")
    assert [stride for _, stride, _ in parallel] == [2, 2, 1, 1, 2, 2]
    assert {stride for _, stride, _ in key_strides()} == {1}


def test_pooled_keys_start_from_the_same_weights():
    states = []
    for stride in (1, 2):
        torch.manual_seed(5)
        states.append(MobileGANGenerator(key_stride=stride).state_dict())
    for name, tensor in states[0].items():
        torch.testing.assert_close(states[1][name], tensor, rtol=0, atol=0)


@torch.no_grad()
def test_a_pooled_network_is_the_one_with_its_keys_averaged():
    """Its large layers computed by the plain formula from the averages of all keys."""
    torch.manual_seed(0)
    pooled = MobileGANGenerator(key_stride=2).eval()
    for name, parameter in pooled.named_parameters():
        if name.endswith(".gamma"):
            parameter.fill_(0.5)
    plain = MobileGANGenerator().eval()
    plain.load_state_dict(pooled.state_dict())
    image = torch.rand(1, 3, 32, 48)

    def attend(query, key, value):
        count, channels, height, width = value.shape
        if width > 48 // 8:
            key, value = (
                maps.reshape(count, -1, height // 2, 2, width // 2, 2).mean((3, 5))
                for maps in (key, value)
            )
        weights = torch.softmax(query.flatten(2).mT @ key.flatten(2), dim=-1)
        return (weights @ value.flatten(2).mT).mT.reshape(count, channels, height, width)

    assert not torch.allclose(plain(image), pooled(image), atol=1e-3)
    for module in plain.modules():
        if isinstance(module, PositionAttentionModule):
            module.attend = attend
    torch.testing.assert_close(plain(image), pooled(image), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize(
    ("given", "used"),
    [
        ((1, 2, 4, 8), [1, 2, 4, 8] * 2),
        ([3], [3] * 8),
        ((1, 1, 2, 2, 4, 4, 8, 8), [1, 1, 2, 2, 4, 4, 8, 8]),
    ],
)
def test_dilations_are_repeated_to_eight_layers(given, used):
    network = MobileGANGenerator(dilations=given)
    blocks = [m for m in network.encoder.modules() if hasattr(m, "conv3")]
    assert [m.conv3.dilation for m in blocks[4:12]] == [(dilation, 1) for dilation in used]
    assert [m.conv4.dilation for m in blocks[4:12]] == [(1, dilation) for dilation in used]
    assert {m.conv3.dilation for m in blocks[:4] + blocks[12:]} == {(1, 1)}


@pytest.mark.parametrize(
    ("side", "dilations", "count"),
    [
        (128, (2, 4, 8, 16), 131_072),
        (128, (1, 2, 4, 8), 0),
        (64, (2, 4, 8, 16), 262_144),
        (64, (1, 2, 4, 8), 131_072),
    ],
)
def test_weights_that_read_padding_alone_get_no_gradient(side, dilations, count):
    """Every position of every kernel is trained but those that are too far dilated."""
    torch.manual_seed(0)
    network = MobileGANGenerator(dilations=dilations)
    for module in network.modules():
        if isinstance(module, nn.Dropout2d):
            module.p = 0.0
        if isinstance(module, PositionAttentionModule):
            nn.init.constant_(module.gamma, 0.3)
    network(torch.rand(2, 3, side, side)).square().mean().backward()
    kernels = [parameter.grad for parameter in network.parameters() if parameter.ndim == 4]
    # A position for which no pair of channels has a gradient; single ones may, behind a ReLU.
    untrained = [
        (grad == 0).flatten(0, 1).all(0).sum() * grad[..., 0, 0].numel() for grad in kernels
    ]
    assert sum(untrained) == count


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"encoder_widths": (16, 32, 64)}, "encoder_widths"),
        ({"encoder_widths": (4, 32, 64, 128)}, "encoder_widths"),
        ({"decoder_widths": (64,)}, "decoder_widths"),
        ({"decoder_widths": (64, 4)}, "decoder_widths"),
        ({"decoder": "both"}, "decoder"),
        ({"cda_stride": 3}, "cda_stride"),
        ({"z_dropout": 1.0}, "z_dropout"),
        ({"key_stride": 0}, "key_stride"),
        ({"key_pooling": "min"}, "key_pooling"),
        ({"dilations": ()}, "dilations"),
        ({"dilations": (1, 2, 4)}, "dilations"),
        ({"dilations": (0, 1)}, "dilations"),
    ],
)
def test_refuses_impossible_arguments(arguments, message):
    with pytest.raises(ValueError, match=message):
        MobileGANGenerator(**arguments)
