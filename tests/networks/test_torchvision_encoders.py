import pytest
import torch
from torch.nn import functional as F
from torchvision.models import resnet18
from torchvision.models.vgg import cfgs, make_layers

from lesionseg.errors import CheckpointError
from lesionseg.networks.torchvision_encoders import VGG16Stages


def classifier_state(features):
    """What torchvision's file holds, without the weight of its big layers."""
    state = {f"features.{key}": value for key, value in features.state_dict().items()}
    return {**state, "classifier.0.bias": torch.zeros(4096)}


@pytest.mark.parametrize(("batch_norm", "count"), [(False, 14_714_688), (True, 14_723_136)])
@torch.inference_mode()
def test_stages_are_torchvisions_features_between_the_poolings(batch_norm, count, tmp_path):
    features = make_layers(cfgs["D"], batch_norm).eval()
    torch.save(classifier_state(features), tmp_path / "vgg.pth")
    stages = VGG16Stages(batch_norm, str(tmp_path / "vgg.pth")).eval()
    assert sum(parameter.numel() for parameter in stages.parameters()) == count
    x = image = torch.randn(1, 3, 64, 32)
    for stage in stages:
        x = F.max_pool2d(stage(x), 2)
    torch.testing.assert_close(x, features(image))


def test_other_classifiers_weights_are_refused(tmp_path):
    files = {
        "resnet18": resnet18(weights=None).state_dict(),
        "with normalization": classifier_state(make_layers(cfgs["D"], batch_norm=True)),
        "of VGG11": classifier_state(make_layers(cfgs["A"])),
    }
    for name, state in files.items():
        torch.save(state, tmp_path / f"{name}.pth")
        with pytest.raises(CheckpointError, match=rf"{name}\.pth are not .* VGG16;") as error:
            VGG16Stages(weights=str(tmp_path / f"{name}.pth"))
        assert "\n" not in str(error.value)


def test_random_weights_keep_the_scale_of_the_maps():
    torch.manual_seed(0)
    x = torch.randn(1, 3, 32, 32)
    with torch.inference_mode():
        for stage in VGG16Stages():
            x = stage(x)
    assert 0.2 < x.square().mean() < 5  # torch's own start leaves 1e-5 of it
