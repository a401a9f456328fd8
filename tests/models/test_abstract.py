"""A subclass that leaves out what it must implement cannot be instantiated."""

import pytest
from torch import nn

from lesionseg.models import SegmentationModule
from lesionseg.models.adversarial import AdversarialModule
from lesionseg.models.alternating import AlternatingModule

METHODS = {
    SegmentationModule: ("configure_optimizers", "training_step", "validation_loss"),
    AlternatingModule: ("configure_optimizers", "training_step", "validation_loss"),
    AdversarialModule: ("discriminator_terms", "generator_terms", "validation_loss"),
}


@pytest.mark.parametrize(
    ("base", "missing"),
    [(base, name) for base, names in METHODS.items() for name in names],
)
def test_a_missing_method_is_named(base, missing):
    methods = {name: lambda self, *_: None for name in METHODS[base] if name != missing}
    incomplete = type("Incomplete", (base,), methods)
    with pytest.raises(TypeError, match=rf"abstract class Incomplete .*method '?{missing}'?$"):
        incomplete(nn.Conv2d(3, 1, 1), nn.Conv2d(4, 1, 1))


def test_a_complete_subclass_is_instantiated():
    methods = {name: lambda self, *_: None for name in METHODS[SegmentationModule]}
    model = type("Complete", (SegmentationModule,), methods)(nn.Conv2d(3, 1, 1), size=(8, 8))
    assert model.size == (8, 8)
