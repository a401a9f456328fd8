import numpy as np
import pytest

from lesionseg.metrics import majority_vote, staple


def blobs(count, seed=0, size=(40, 50)):
    """Masks of one drawn lesion by annotators of growing carelessness."""
    from scipy.ndimage import gaussian_filter

    random = np.random.default_rng(seed)
    base = gaussian_filter(random.normal(size=size), 7)
    noise = [gaussian_filter(random.normal(size=size), 3) for _ in range(count)]
    return np.array([base + 0.05 * (k + 1) * n > 0.02 for k, n in enumerate(noise)])


@pytest.mark.parametrize("count", [1, 2, 3, 5])
def test_staple_and_majority_are_those_of_itk(count):
    sitk = pytest.importorskip("SimpleITK", reason="the oracle is not installed")
    masks = blobs(count, seed=count)
    pictures = [sitk.GetImageFromArray(mask.astype(np.uint8)) for mask in masks]
    expected = sitk.STAPLEImageFilter()
    probability = sitk.GetArrayFromImage(expected.Execute(pictures))
    found = staple(masks)
    np.testing.assert_allclose(found.probability, probability, atol=1e-9)
    np.testing.assert_allclose(found.sensitivity, expected.GetSensitivity(), atol=1e-9)
    np.testing.assert_allclose(found.specificity, expected.GetSpecificity(), atol=1e-9)
    vote = sitk.LabelVotingImageFilter()
    vote.SetLabelForUndecidedPixels(1)  # as IMA++ does
    assert (majority_vote(masks) == (sitk.GetArrayFromImage(vote.Execute(pictures)) == 1)).all()


def test_staple_finds_the_reliability_of_each_annotator():
    random = np.random.default_rng(3)
    truth = np.zeros((200, 200), bool)
    truth[50:150, 60:140] = True
    sensitivity = np.array([0.95, 0.9, 0.9, 0.6, 0.6])
    specificity = np.array([0.99, 0.95, 0.95, 0.8, 0.8])
    draws = random.random((5, *truth.shape))
    masks = np.where(truth, draws < sensitivity[:, None, None], draws > specificity[:, None, None])
    found = staple(masks)
    np.testing.assert_allclose(found.sensitivity, sensitivity, atol=0.02)
    np.testing.assert_allclose(found.specificity, specificity, atol=0.01)
    wrong = (found.mask != truth).mean()
    assert wrong < (majority_vote(masks) != truth).mean()  # the careless annotators count for less


@pytest.mark.parametrize("lesion", [False, True])
def test_masks_of_one_kind_of_pixel_have_that_consensus(lesion):
    masks = np.full((3, 4, 5), lesion)
    assert (staple(masks).mask == lesion).all()
    assert (majority_vote(masks) == lesion).all()
    assert np.isfinite(staple(masks).sensitivity).all()


def test_ties():
    masks = np.array([[[1, 1, 0, 0]], [[1, 0, 0, 0]], [[1, 1, 0, 0]], [[1, 0, 1, 0]]])
    assert majority_vote(masks).tolist() == [[True, True, False, False]]
    assert majority_vote(masks, ties=False).tolist() == [[True, False, False, False]]


@pytest.mark.parametrize(
    ("masks", "message"),
    [
        ([], "1 to 20 masks, got 0"),
        (np.zeros((21, 2, 2)), "1 to 20 masks, got 21"),
        ([np.zeros((2, 3)), np.zeros((3, 2))], r"one shape, got \(2, 3\) and \(3, 2\)"),
        ([np.zeros(3)], r"\(height, width\)"),
    ],
)
@pytest.mark.parametrize("consensus", [majority_vote, staple])
def test_masks_that_have_no_consensus(consensus, masks, message):
    with pytest.raises(ValueError, match=message):
        consensus(masks)
