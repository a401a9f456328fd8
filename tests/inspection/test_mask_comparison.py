import numpy as np
import pytest
from conftest_inspect import lesion, photo
from PIL import Image
from scipy.ndimage import binary_dilation, shift
from test_inspection_page import Page

from lesionseg.cli import main as cli
from lesionseg.data import SyntheticLesions
from lesionseg.inference.outputs import save_mask
from lesionseg.inspection import compare_masks, inspect_data, render_report, write_page
from lesionseg.inspection.comparison import WHOLE, best_shift, find_fault
from lesionseg.inspection.records import measure
from lesionseg.visualization import to_picture

SIZE = (96, 128)
FAULTS = {
    "SYN_0000001": "empty",
    "SYN_0000003": "whole image",
    "SYN_0000004": "inverted",
    "SYN_0000006": "shifted",
    "SYN_0000008": "shifted",
}


def damaged(mask, id_):
    kind = FAULTS.get(id_)
    if kind == "empty":
        return np.zeros_like(mask)
    if kind == "whole image":
        return np.ones_like(mask)
    if kind == "inverted":
        return ~mask
    if kind == "shifted":
        return (
            shift(mask.astype(float), (14, -20) if id_ == "SYN_0000006" else (0, 24), order=0) > 0
        )
    return mask


@pytest.fixture(scope="module")
def planted(tmp_path_factory):
    """Twelve drawn pairs, five of which have a fault, and what a good model predicts."""
    root = tmp_path_factory.mktemp("planted")
    predictions = {}
    for folder in ("images", "masks"):
        (root / folder).mkdir()
    for sample in SyntheticLesions(length=12, size=SIZE, seed=5):
        id_, mask = sample["id"], sample["mask"][0].numpy() > 0.5
        to_picture(sample["image"]).save(root / "images" / f"{id_}.png")
        save_mask(damaged(mask, id_), root / "masks" / f"{id_}.png")
        predictions[id_] = binary_dilation(mask, iterations=2)  # no model is perfect
    return root, predictions


@pytest.fixture(scope="module")
def comparison(planted):
    root, predictions = planted
    inspection = inspect_data(root)
    return inspection, compare_masks(
        inspection.records, lambda record: predictions[record.id], "good", ()
    )


def test_each_kind_of_fault_is_found_and_no_other_mask(comparison):
    inspection, compared = comparison
    found = {inspection.records[f.record].id: f.kind for f in compared.findings if f.kind}
    assert found == FAULTS
    assert len(compared.findings) == 12


def test_the_masks_that_differ_most_come_first(comparison):
    inspection, compared = comparison
    values = [finding.iou for finding in compared.findings]
    assert values == sorted(values)
    assert {inspection.records[f.record].id for f in compared.findings[:5]} == set(FAULTS)
    assert values[5] > 0.7


@pytest.mark.parametrize(("down", "right"), [(0, 0), (5, -9), (-12, 3), (17, 10)])
def test_the_best_shift_is_the_one_that_was_made(down, right):
    prediction = lesion((60, 80), (10, 20, 28, 45)) > 0
    prediction[12, 22:30] = False  # no symmetry
    moved = shift(prediction.astype(float), (-down, -right), order=0) > 0
    assert best_shift(moved, prediction) == (1, down, right)  # also where a part was lost


def test_shifts_do_not_wrap_around():
    mask, prediction = np.zeros((2, 32, 32), bool)
    mask[:, :8] = prediction[:, -8:] = True
    best, down, right = best_shift(mask, prediction)
    assert (best, down, right) == (1, 0, 24)
    prediction[:, -8:], prediction[:, -2:], mask[:, 8:10] = False, True, True
    assert best_shift(mask, prediction)[0] < 0.5


def test_a_mask_is_not_moved_to_where_little_of_the_prediction_is():
    mask, prediction = np.zeros((2, 32, 32), bool)
    mask[:4, :4] = True
    prediction[:, 12:] = True  # in the corner, the moved picture holds nothing else
    assert best_shift(mask, prediction)[0] < 0.1


def test_a_small_lesion_whose_surroundings_are_predicted_is_not_inverted():
    mask = lesion((96, 128), (40, 50, 60, 75))
    predicted = measure(255 - lesion((96, 128), (38, 45, 70, 90)))
    assert find_fault(measure(mask), predicted)[1] == ""
    assert find_fault(measure(255 - mask), measure(mask))[1] == "inverted"


@pytest.mark.parametrize("area", [0.98, WHOLE])
def test_a_large_lesion_is_not_the_whole_image(area, planted):
    mask = np.full((100, 100), 255, np.uint8)
    mask.ravel()[: round((1 - area) * mask.size)] = 0
    inspection = inspect_data(planted[0])
    record = inspection.records[0]._replace(lesion=measure(mask))
    compared = compare_masks([record], lambda _: np.ones((100, 100), bool), "all", ())
    assert compared.findings[0].kind == ("whole image" if area == WHOLE else "")


def test_page_and_report(comparison, tmp_path):
    from dataclasses import replace

    inspection, compared = comparison
    inspection = replace(inspection, comparison=compared)
    report = " ".join(render_report(inspection, shown=12).split())
    for id_, kind in FAULTS.items():
        words = {"whole image": "is lesion all over", "empty": "is empty"}
        assert f"{id_}.png {words.get(kind, f'seems {kind}')}" in report
    assert "Masks that differ from good" in report
    assert (
        max(len(line) for line in render_report(inspection).splitlines() if "/" not in line) <= 88
    )
    page = tmp_path / "page.html"
    write_page(inspection, page)
    captions = [image["alt"] for image in Page(page.read_text(encoding="utf-8")).of("img")]
    assert captions[0].startswith("SYN_") or any("inverted" in caption for caption in captions)
    worst = [caption for caption in captions if "IoU" in caption]
    assert len(worst) == 12 + len(FAULTS)  # all in the order of the rank, then each kind


def test_a_page_shows_the_prediction_in_red(comparison, monkeypatch):
    from lesionseg.inspection import pictures

    inspection, compared = comparison
    drawn = []
    monkeypatch.setattr(
        pictures,
        "draw_outline",
        lambda picture, mask, color: drawn.append((mask, color)) or picture,
    )
    record = inspection.records[compared.findings[0].record]
    pictures._draw(pictures.Figure(record, "", compared.findings[0].predicted))
    (_, green), (red_mask, red) = drawn
    assert (green, red) == (pictures.TRUTH_COLOR, pictures.PREDICTION_COLOR)
    assert red_mask.any()


def sentences(records, trained_on, predict=lambda record: np.ones(SIZE, bool)):
    from lesionseg.inspection.sections import _comparison_sentences

    return " ".join(_comparison_sentences(compare_masks(records, predict, "net", trained_on)))


def test_trained_images_are_named(planted):
    records = inspect_data(planted[0]).records
    records = [records[0]._replace(id="ISIC_0000001"), records[1]._replace(id="mine")]
    assert "net was trained on 1 of these images (ISIC_0000001)" in sentences(
        records, {"ISIC_0000001", "mine"}
    )
    assert "not known which images net was trained on" in sentences(records, None)
    assert sentences(records, ()) == ""
    assert "2 of 2 masks have no prediction" in sentences(records, (), lambda record: None)


def cross_validated(root, predictions):
    """The folder of a cross-validation, as far as it is read."""
    (root / "folds").mkdir(parents=True)
    for id_, mask in predictions.items():
        save_mask(mask, root / "masks" / f"{id_}_segmentation.png")


def test_predictions_of_a_cross_validation(planted, tmp_path, capsys):
    root, predictions = planted
    cross_validated(tmp_path / "cv", predictions)
    page = tmp_path / "page.html"
    arguments = ["inspect", "--data", str(root), "--model", str(tmp_path / "cv")]
    assert cli.main([*arguments, "--html", str(page)]) == 0
    said = " ".join(capsys.readouterr().out.split())
    assert "SYN_0000004.png seems inverted" in said
    assert "trained on" not in said
    assert "SYN_0000004: IoU" in page.read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("prepare", "message"),
    [
        (lambda root: None, "there is no checkpoint"),
        (lambda root: (root / "cv" / "fold_0").mkdir(parents=True), "finish it with lesionseg cr"),
    ],
)
def test_no_such_predictions(prepare, message, planted, tmp_path, capsys):
    prepare(tmp_path)
    model = str(tmp_path / "cv")
    assert cli.main(["inspect", "--data", str(planted[0]), "--model", model]) == 1
    assert message in capsys.readouterr().err
    assert cli.main(["inspect", "--data", "x", "--model", model, "--augment"]) == 1
    assert "--model does not work with --augment" in capsys.readouterr().err


def test_a_shipped_model_knows_its_training_images(tmp_path, capsys):
    from lesionseg.checkpoints import read_checkpoint

    trained = sorted(read_checkpoint("mobilegan")["lesionseg"]["trained_on"])[0]
    for folder, picture in (("images", photo(1)), ("masks", Image.fromarray(lesion()))):
        (tmp_path / folder).mkdir()
        picture.save(tmp_path / folder / f"{trained}.png")
    assert cli.main(["inspect", "--data", str(tmp_path), "--model", "mobilegan"]) == 0
    assert f"mobilegan was trained on 1 of these images ({trained})" in capsys.readouterr().out
