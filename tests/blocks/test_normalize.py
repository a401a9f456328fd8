import pytest
import torch
from torchvision.transforms.v2.functional import normalize

from lesionseg.blocks import Normalize


def test_equals_torchvision_with_the_imagenet_values():
    image = torch.rand(2, 3, 5, 4)
    expected = normalize(image, [0.485, 0.456, 0.406], [0.229, 0.224, 0.225])
    torch.testing.assert_close(Normalize()(image), expected)


def test_values_are_saved_and_loaded_but_not_trained():
    saved = Normalize((0.5, 0.4), (0.3, 0.2)).state_dict()
    other = Normalize((0.0, 0.0), (1.0, 1.0))
    other.load_state_dict(saved)
    image = torch.rand(1, 2, 3, 3)
    torch.testing.assert_close(other(image), Normalize((0.5, 0.4), (0.3, 0.2))(image))
    assert not list(other.parameters())


@pytest.mark.parametrize(
    ("mean", "std"), [((0.5,), (0.5, 0.5)), ((), ()), ((0.5, 0.5), (0.5, 0.0))]
)
def test_refuses_impossible_values(mean, std):
    with pytest.raises(ValueError, match="std"):
        Normalize(mean, std)
