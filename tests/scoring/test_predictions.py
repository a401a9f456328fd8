import argparse
import io
import json
import logging
import subprocess
import sys
import zipfile

import numpy as np
import pytest
from click.testing import CliRunner
from isic_challenge_scoring.__main__ import cli
from isic_challenge_scoring.segmentation import SegmentationScore
from isic_challenge_scoring.types import ScoreError
from PIL import Image

from lesionseg.cli.score import add_arguments, run
from lesionseg.errors import DatasetNotFoundError, InvalidDataError, LesionsegError
from lesionseg.metrics import ScoreTable
from lesionseg.scoring.predictions import score_predictions

NUMBERS = (1, 2, 345)
NAME = "ISIC_{:07d}_segmentation.png"


def save(path, mask):
    Image.fromarray(mask).save(path)


@pytest.fixture
def folders(tmp_path):
    """Gray masks of differing sizes in two folders, and predictions of all of them."""
    truth, prediction = tmp_path / "truth", tmp_path / "prediction"
    truth.mkdir()
    prediction.mkdir()
    generator = np.random.default_rng(0)
    for number in NUMBERS:
        shape = (number % 7 + 5, 12)
        gray = generator.integers(0, 256, shape, dtype=np.uint8)
        noise = generator.random(shape) > 0.9
        save(truth / NAME.format(number), gray)
        save(prediction / NAME.format(number), np.where(noise, 255 - gray, gray).astype(np.uint8))
    return truth, prediction


def zipped(folder, inside="", compression=zipfile.ZIP_DEFLATED):
    path = folder.with_suffix(".zip")
    with zipfile.ZipFile(path, "w", compression) as archive:
        for file in sorted(folder.iterdir()):
            archive.write(file, f"{inside}{file.name}")
    return path


def assert_as_official(truth, prediction, official):
    assert score_predictions(truth, prediction).summary() == pytest.approx(
        official.macro_average.to_dict(), abs=1e-12, rel=0
    )


def assert_refused_by_both(truth, prediction, message):
    with pytest.raises(Exception):  # noqa: B017, PT011  the official scorer lets any error through
        SegmentationScore.from_dir(truth, prediction)
    with pytest.raises(InvalidDataError, match=message) as caught:
        score_predictions(truth, prediction)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_folders_equal_the_official_scorer(folders):
    assert_as_official(*folders, SegmentationScore.from_dir(*folders))
    assert score_predictions(*folders).ids == tuple(f"ISIC_{n:07d}" for n in NUMBERS)


@pytest.mark.parametrize("inside", ["", "ISIC2018_Task1/", "a/b/"])
def test_zips_equal_the_official_scorer(folders, inside):
    truth, prediction = (zipped(folder, inside) for folder in folders)
    for path in (truth, prediction):
        with zipfile.ZipFile(path, "a") as archive:
            archive.writestr(f"__MACOSX/{inside}._{NAME.format(1)}", b"metadata")
    assert_as_official(truth, prediction, SegmentationScore.from_zip_file(truth, prediction))
    for mixed in ((folders[0], prediction), (truth, folders[1])):
        assert score_predictions(*mixed).summary() == score_predictions(*folders).summary()


def test_other_spellings_that_the_official_scorer_takes(folders, caplog):
    truth, prediction = folders
    first, second, third = (prediction / NAME.format(n) for n in NUMBERS)
    first.rename(prediction / "my_0000001.png")
    Image.open(second).convert("1").save(prediction / "ISIC_0000002.bmp")
    second.unlink()
    third.rename(prediction / "x90000345.final.png")
    save(prediction / NAME.format(9), np.zeros((3, 3), np.uint8))  # an image without truth
    (prediction / "notes.txt").write_text("not scored")
    (truth / "LICENSE.txt").write_text("CC-0")
    (truth / "ATTRIBUTION.txt").write_text("ISIC")
    with caplog.at_level(logging.WARNING):
        assert_as_official(truth, prediction, SegmentationScore.from_dir(truth, prediction))
    assert f"no ground truth (1): {NAME.format(9)}" in caplog.text


def test_attribute_masks_equal_the_official_scorer(tmp_path):
    generator = np.random.default_rng(0)
    for folder in ("truth", "prediction"):
        (tmp_path / folder).mkdir()
        for attribute in ("globules", "pigment_network"):
            save(
                tmp_path / folder / f"ISIC_0000001_attribute_{attribute}.png",
                generator.integers(0, 256, (8, 8), dtype=np.uint8),
            )
    pair = tmp_path / "truth", tmp_path / "prediction"
    assert_as_official(*pair, SegmentationScore.from_dir(*pair))
    assert score_predictions(*pair).ids[0] == "ISIC_0000001_attribute_globules"


def test_companions_of_the_truth_are_passed_over(folders):
    truth, prediction = folders
    before = score_predictions(truth, prediction).summary()
    for name in ("ISIC-2017_metadata.csv", "ISIC_0000001_superpixels.png", ".DS_Store"):
        (truth / name).write_bytes(b"not a mask")
    assert score_predictions(truth, prediction).summary() == before


def test_missing_predictions_are_reported_together(folders):
    truth, prediction = folders
    for number in range(10, 15):
        save(truth / NAME.format(number), np.zeros((3, 3), np.uint8))
    message = assert_refused_by_both(
        truth,
        prediction,
        "no prediction for ISIC_0000010, ISIC_0000011, ISIC_0000012 and 2 more, 5 of 8 images",
    )
    assert str(prediction) in message


def test_two_predictions_of_one_image(folders):
    save(folders[1] / "ISIC_0000002_again.png", np.zeros((3, 3), np.uint8))
    assert_refused_by_both(
        *folders,
        r"ISIC_0000002 \(ISIC_0000002_again.png and ISIC_0000002_segmentation.png\); keep a single",
    )


def test_wrong_size(folders):
    save(folders[1] / NAME.format(2), np.zeros((3, 4), np.uint8))
    assert_refused_by_both(
        *folders, "0000002.* is 3 pixels high and 4 wide, its truth 7 pixels high and 12 wide"
    )


def encoded(mode):
    stream = io.BytesIO()
    Image.effect_noise((12, 7), 80).convert(mode).save(stream, "PNG")
    return stream.getvalue()


@pytest.mark.parametrize("which", [0, 1], ids=["truth", "prediction"])
@pytest.mark.parametrize(
    ("content", "message"),
    [
        (encoded("RGB"), "mode is RGB"),
        (encoded("RGBA"), "mode is RGBA"),
        (encoded("LA"), "mode is LA"),
        (encoded("P"), "mode is P"),
        (encoded("I;16"), "not a gray channel"),
        (encoded("L")[:-40], "not a readable image"),
        (encoded("L")[:20], "not a readable image"),
        (b"some text", "not a readable image"),
        (b"", "not a readable image"),
    ],
    ids=["RGB", "RGBA", "LA", "palette", "16 bit", "truncated", "header only", "text", "empty"],
)
def test_files_that_are_no_masks(folders, which, content, message):
    (folders[which] / NAME.format(2)).write_bytes(content)
    said = assert_refused_by_both(*folders, message)
    assert str(folders[which]) in said
    assert NAME.format(2) in said
    assert "8-bit gray PNG" in said


def test_a_folder_or_a_dead_link_in_place_of_a_mask(folders):
    path = folders[1] / NAME.format(2)
    path.unlink()
    path.mkdir()
    assert_refused_by_both(*folders, "is a folder")
    path.rmdir()
    path.symlink_to("nowhere")
    assert_refused_by_both(*folders, "cannot be read")


def test_unknown_file_in_the_truth(folders):
    (folders[0] / "readme.md").write_text("?")
    assert_refused_by_both(*folders, r"readme\.md in .* is not a true mask")


def test_the_folder_above_the_masks(folders):
    above = folders[0].parent / "above"
    above.mkdir()
    truth = folders[0].rename(above / "truth")
    assert_refused_by_both(above, folders[1], f"give the folder {truth}")
    assert_refused_by_both(truth, above, f"give the folder {truth}")


def test_two_truths_of_one_image_are_refused(folders):
    truth, prediction = folders
    (truth / "ISIC_0000001.png").write_bytes((truth / NAME.format(1)).read_bytes())
    with pytest.raises(InvalidDataError, match="two true masks of ISIC_0000001"):
        score_predictions(truth, prediction)


def test_same_name_twice_in_a_zip_is_refused(folders):
    path = zipped(folders[1], "a/")
    with zipfile.ZipFile(path, "a") as archive:
        archive.write(folders[1] / NAME.format(1), "b/" + NAME.format(1))
    with pytest.raises(InvalidDataError, match="more than one prediction for ISIC_0000001"):
        score_predictions(folders[0], path)


def test_no_masks_at_all(folders, tmp_path):
    empty = tmp_path / "empty"
    empty.mkdir()
    assert_refused_by_both(empty, folders[1], "holds no true mask")
    assert_refused_by_both(folders[0], empty, "holds no prediction")
    (empty / "LICENSE.txt").write_text("CC-0")
    archive = zipped(empty)
    with pytest.raises(InvalidDataError, match=r"empty\.zip holds no true mask"):
        score_predictions(archive, folders[1])
    with pytest.raises(InvalidDataError, match=r"empty\.zip holds no prediction"):
        score_predictions(folders[0], archive)


def test_paths_that_are_not_there(folders, tmp_path):
    with pytest.raises(DatasetNotFoundError, match=r"no ground truth at .*gone; give"):
        score_predictions(tmp_path / "gone", folders[1])
    with pytest.raises(DatasetNotFoundError, match=r"no prediction at .*gone; give"):
        score_predictions(folders[0], tmp_path / "gone")


def test_broken_zips(folders, tmp_path):
    path = zipped(folders[1], compression=zipfile.ZIP_STORED)
    content = path.read_bytes()
    path.write_bytes(content[: len(content) // 2])
    with pytest.raises(ScoreError):
        SegmentationScore.from_zip_file(zipped(folders[0]), path)
    with pytest.raises(InvalidDataError, match="neither a folder nor a readable zip"):
        score_predictions(folders[0], path)
    at = content.index(b"IDAT") + 8
    path.write_bytes(content[:at] + bytes([content[at] ^ 255]) + content[at + 1 :])
    with pytest.raises(InvalidDataError, match=r"in .*prediction\.zip is damaged"):
        score_predictions(folders[0], path)


def test_zip_with_a_password(folders):
    path = zipped(folders[1])
    content = bytearray(path.read_bytes())
    for signature, flags in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        at = -1
        while (at := content.find(signature, at + 1)) >= 0:
            content[at + flags] |= 1
    path.write_bytes(content)
    with pytest.raises(InvalidDataError, match="without a password"):
        score_predictions(folders[0], path)


def command(*arguments):
    parser = argparse.ArgumentParser()
    add_arguments(parser)
    return run(parser.parse_args([str(argument) for argument in arguments]))


def test_command_prints_the_table_and_writes_the_csv(folders, capsys, tmp_path):
    assert command(*folders, "--csv", tmp_path / "scores.csv") == 0
    printed = capsys.readouterr()
    table = score_predictions(*folders)
    assert printed.out == table.render() + "\n"
    assert printed.err == ""
    assert ScoreTable.from_csv(tmp_path / "scores.csv").summary() == table.summary()
    assert command(*folders, "--aggregation", "pooled") == 0
    assert capsys.readouterr().out == table.render("pooled") + "\n"


def test_command_prints_the_keys_of_the_official_json(folders, capsys):
    result = CliRunner().invoke(cli, ["-o", "json", "segmentation", *map(str, folders)])
    official = json.loads(result.output)
    assert command(*folders, "--output", "json") == 0
    ours = json.loads(capsys.readouterr().out)
    assert list(ours)[: len(official)] == list(official)
    assert list(ours["macro_average"]) == list(official["macro_average"])
    for key, value in official.items():
        assert ours[key] == pytest.approx(value, abs=1e-12, rel=0)


def test_progress_goes_to_stderr(folders, capsys):
    score_predictions(*folders, progress=True)
    printed = capsys.readouterr()
    assert "3/3" in printed.err
    assert printed.out == ""


def test_csv_into_a_folder_is_refused_before_scoring(folders, tmp_path):
    with pytest.raises(LesionsegError, match="is a folder"):
        command(tmp_path / "gone", folders[1], "--csv", tmp_path)


def test_importing_the_command_is_light():
    code = (
        "import sys, lesionseg.scoring.predictions; "
        "print(*sorted({'torch', 'scipy', 'pandas', 'numpy', 'PIL'} & sys.modules.keys()))"
    )
    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    assert done.stdout.split() == []


def test_real_validation_masks(shared_data, tmp_path):
    truth = shared_data / "isic2018-128px" / "ISIC2018_Task1_Validation_GroundTruth"
    assert set(score_predictions(truth, truth).summary().values()) == {1.0}
    for path in truth.glob("*.png"):
        save(tmp_path / path.name, np.roll(np.asarray(Image.open(path)), (7, -5), (0, 1)))
    official = SegmentationScore.from_dir(truth, tmp_path)
    assert_as_official(truth, tmp_path, official)
    assert 0.3 < official.macro_average["jaccard"] < 1
