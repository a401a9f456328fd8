"""What validation, test and prediction call lesion: probabilities above the model's threshold."""

import by_hand
import numpy as np
import pytest
import torch
from conftest_models import tiny_mobilegan, tiny_trainer
from PIL import Image
from torch import nn

from lesionseg.models import Segmenter

SIZE = (4, 4)


class Given(nn.Module):
    """Gives back the logits whose sigmoid is the image's first channel."""

    def forward(self, image):
        return (image[:, :1] / (1 - image[:, :1])).log()


def batch(first=0.9, truth=4, original=SIZE):
    """Four pixels each at ``first``, 0.6, exactly one half, and 0.2; the first ``truth`` lesion."""
    rows = torch.tensor([first, 0.6, 0.5, 0.2]).view(1, 1, 4, 1)
    mask = torch.arange(16).view(1, 1, 4, 4) < truth
    whole = Image.fromarray(mask[0, 0].byte().numpy() * 255).resize(original[::-1], 0)
    return {
        "image": rows.expand(1, 3, *SIZE).clone(),
        "mask": mask.float(),
        "id": ["a"],
        "size": [original],
        "truth": [torch.from_numpy(np.array(whole))],
    }


def model_of(build, threshold):
    model = build(threshold=threshold)
    model.network = Given()
    return model


def segmenter(**arguments):
    return Segmenter("mobilegan", size=SIZE, **arguments)


@pytest.mark.parametrize("build", [segmenter, tiny_mobilegan])
@pytest.mark.parametrize(("threshold", "lesion"), [(0.7, 4), (0.55, 8), (0.5, 8), (0.3, 12)])
def test_every_stage_takes_what_exceeds_the_threshold(build, threshold, lesion, tmp_path):
    """At 0.5 the pixels of exactly one half stay background."""
    model, given = model_of(build, threshold), by_hand.loader([batch()])
    trainer = tiny_trainer(tmp_path)
    (validated,) = trainer.validate(model, given, verbose=False)
    (tested,) = trainer.test(model, given, verbose=False)
    for scores, stage in ((validated, "val"), (tested, "test")):
        jaccard = 4 / lesion
        expected = {
            "accuracy": 1 - (lesion - 4) / 16,
            "sensitivity": 1,
            "specificity": 1 - (lesion - 4) / 12,
            "jaccard": jaccard,
            "threshold_jaccard": jaccard if jaccard >= 0.65 else 0,
            "dice": 2 * jaccard / (1 + jaccard),
        }
        found = {name: scores[f"{stage}/{name}"] for name in expected}
        assert found == pytest.approx(expected)
    assert model.test_table.counts.tolist() == [[4, lesion - 4, 0, 16 - lesion]]
    ((predicted,),) = trainer.predict(model, given)
    assert predicted.mask.sum() == lesion
    assert predicted.mask[: lesion // 4].all()


def test_scores_are_of_the_last_epoch_alone(tmp_path):
    """The same image, whose mask is another when it is scored again, and a new one beside it."""
    model, trainer = model_of(segmenter, 0.5), tiny_trainer(tmp_path)
    again, new = batch(truth=16), batch(truth=8)
    new["id"] = ["b"]
    for given, jaccards in (([batch(truth=4)], [0.5]), ([again, new], [0.5, 1.0])):
        (validated,) = trainer.validate(model, by_hand.loader(given), verbose=False)
        (tested,) = trainer.test(model, by_hand.loader(given), verbose=False)
        assert validated["val/jaccard"] == pytest.approx(sum(jaccards) / len(jaccards))
        assert tested["test/jaccard"] == pytest.approx(sum(jaccards) / len(jaccards))
        assert list(model.test_table.scores["jaccard"]) == jaccards
    (validated,) = trainer.validate(model, by_hand.loader([new]), verbose=False)
    assert validated["val/jaccard"] == 1
    (tested,) = trainer.test(model, by_hand.loader([new]), verbose=False)
    assert tested["test/jaccard"] == 1
    assert list(model.test_table.ids) == ["b"]


def test_probabilities_and_not_logits_are_resized():
    """Between 0.999 and 0.6 the middle is 0.8; between their logits it is 0.97."""
    original = (29, 40)
    given = batch(first=0.999, original=original)
    small = Image.fromarray(given["image"][0, 0].numpy())
    expected = np.asarray(small.resize(original[::-1], Image.Resampling.BILINEAR))
    for threshold in (0.2, 0.9):
        model = model_of(segmenter, threshold).eval()
        (predicted,) = model.predict_step(given)
        np.testing.assert_allclose(predicted.probability, expected, atol=1e-5)
        assert np.array_equal(predicted.mask, expected > threshold)
        tested = model.test_step(given, 0)
        assert np.array_equal(tested["mask"][0], expected > threshold)
