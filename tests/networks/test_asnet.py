from urllib.error import URLError

import pytest
import torch
from torchvision.models import resnet34

from lesionseg.blocks import AdaptiveScaleModule
from lesionseg.errors import CheckpointError
from lesionseg.networks import ASNetNetwork, create_network
from lesionseg.networks.torchvision_encoders import ResNet34Encoder


@pytest.fixture(scope="module")
def classifier():
    torch.manual_seed(5)
    return resnet34(weights=None)


@pytest.fixture(scope="module")
def weights(classifier, tmp_path_factory):
    path = tmp_path_factory.mktemp("weights") / "resnet34-b627a593.pth"
    torch.save(classifier.state_dict(), path)
    return path


def assert_encoder_is(encoder, classifier):
    for key, value in encoder.state_dict().items():
        torch.testing.assert_close(value, classifier.state_dict()[key], rtol=0, atol=0)


def test_encoder_is_torchvisions_without_its_classifier(classifier):
    encoder = ResNet34Encoder()
    assert sum(p.numel() for p in encoder.parameters()) == 21_284_672
    encoder.load_state_dict(
        {k: v for k, v in classifier.state_dict().items() if not k.startswith("fc.")}
    )
    image = torch.randn(1, 3, 64, 96)
    with torch.inference_mode():
        maps = encoder.eval()(image)
        expected = classifier.eval()(image)
        pooled = maps[-1].mean(dim=(2, 3))
        torch.testing.assert_close(classifier.fc(pooled), expected)
    assert [tuple(m.shape[1:]) for m in maps] == [
        (64, 32, 48),
        (64, 16, 24),
        (128, 8, 12),
        (256, 4, 6),
        (512, 2, 3),
    ]


def test_encoder_weights_from_a_file(classifier, weights):
    network = create_network("asnet-baseline", encoder_weights=str(weights))
    assert_encoder_is(network.encoder, classifier)


def test_imagenet_weights_are_taken_from_the_cache(classifier, weights, tmp_path, monkeypatch):
    monkeypatch.setattr(torch.hub, "urlopen", no_network)
    monkeypatch.setattr(torch.hub, "get_dir", lambda: str(tmp_path))
    (tmp_path / "checkpoints").mkdir()
    (tmp_path / "checkpoints" / weights.name).write_bytes(weights.read_bytes())
    assert_encoder_is(ResNet34Encoder("imagenet"), classifier)


def no_network(*args, **kwargs):
    raise URLError("Name or service not known")


def test_imagenet_weights_without_a_network_say_how_to_give_a_file(tmp_path, monkeypatch):
    monkeypatch.setattr(torch.hub, "urlopen", no_network)
    monkeypatch.setattr(torch.hub, "get_dir", lambda: str(tmp_path))
    with pytest.raises(CheckpointError, match=r"could not be downloaded.*local file") as error:
        ResNet34Encoder("imagenet")
    assert "\n" not in str(error.value)


def test_nothing_is_downloaded_unasked(monkeypatch):
    monkeypatch.setattr(torch.hub, "urlopen", no_network)
    assert ASNetNetwork().spec == {}


def broken_files(classifier):
    state = classifier.state_dict()
    missing = {k: v for k, v in state.items() if k != "layer3.0.conv1.weight"}
    return {
        "missing keys": missing,
        "wrong shape": {**state, "conv1.weight": torch.zeros(64, 3, 3, 3)},
        "not a state dict": [1, 2, 3],
        "not tensors": {"conv1.weight": "text"},
        "a whole module": torch.nn.Linear(2, 2),
    }


@pytest.mark.parametrize(
    "kind", ["missing keys", "wrong shape", "not a state dict", "not tensors", "a whole module"]
)
def test_unfit_encoder_weights_are_named(kind, classifier, tmp_path):
    path = tmp_path / "weights.pth"
    torch.save(broken_files(classifier)[kind], path)
    with pytest.raises(CheckpointError, match=r"weights\.pth") as error:
        ResNet34Encoder(str(path))
    assert "\n" not in str(error.value)


def test_broken_and_absent_files_are_named(tmp_path):
    path = tmp_path / "cut.pth"
    path.write_bytes(b"PK\x03\x04 cut short")
    for name in (path, tmp_path / "absent.pth"):
        with pytest.raises(CheckpointError, match=name.name):
            ResNet34Encoder(str(name))


def test_options_reach_the_adaptive_scale_module():
    arguments = {
        "dilations": [1, 3],
        "fusion": "attention",
        "share_fusion": True,
        "residual": "additive",
    }
    context = ASNetNetwork(**arguments).context
    assert isinstance(context, AdaptiveScaleModule)
    assert context.dilations == (1, 3)
    assert context.share_fusion
    assert context.residual == "additive"


def test_the_ablation_rows_are_these_options():
    assert create_network("asnet-without-dilation").context.dilations == (1, 1, 1)
    assert len(create_network("asnet-without-attention").context.fusions) == 0
    assert isinstance(create_network("asnet-baseline").context, torch.nn.Identity)
