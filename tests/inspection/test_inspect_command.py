import io
import subprocess
import sys

import pytest
import torch
from conftest_inspect import save_pair, write_broken
from PIL import ExifTags, Image

from lesionseg.cli import main as cli
from lesionseg.data import FolderDataset, resize_mask
from lesionseg.inspection import inspect_data, load_samples
from lesionseg.inspection.records import read_record_mask


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    root = tmp_path_factory.mktemp("data")
    write_broken(root)
    return root


def test_findings_are_no_failure_and_nothing_is_written_unasked(
    data, tmp_path, monkeypatch, capsys
):
    monkeypatch.chdir(tmp_path)
    assert cli.main(["inspect", "--data", str(data)]) == 0
    said = capsys.readouterr().out
    assert "zero bytes" in said
    assert "--html FILE" in said
    assert list(tmp_path.iterdir()) == []


def test_a_page_and_where_it_is(data, tmp_path, capsys):
    page = tmp_path / "new" / "page.html"
    assert cli.main(["inspect", "--data", str(data), "--html", str(page)]) == 0
    assert str(page) in capsys.readouterr().out
    assert page.stat().st_size > 1000
    assert [path.name for path in page.parent.iterdir()] == ["page.html"]


def test_a_markdown_report_may_be_written_again(data, tmp_path):
    report = tmp_path / "report.md"
    arguments = ["inspect", "--data", str(data), "--markdown", str(report)]
    assert cli.main(arguments) == 0
    text = report.read_text(encoding="utf-8")
    assert text.startswith("## Files\n\n| set ")
    assert "### zero bytes: 1\n\n- The image" in text
    assert cli.main(arguments) == 0
    report.write_text("mine")
    assert cli.main(arguments) == 1
    assert report.read_text() == "mine"


@pytest.mark.parametrize("orientation", range(2, 9))
def test_photographs_with_an_orientation_are_shown_as_training_reads_them(
    orientation, tmp_path, monkeypatch, capsys
):
    data = tmp_path / "data"
    exif = Image.Exif()
    exif[ExifTags.Base.Orientation] = orientation
    for number in range(3):
        save_pair(data / "images", data / "masks", f"p{number}", number)  # stored 96 x 128
        photo = data / "images" / f"p{number}.jpg"
        Image.open(photo).save(photo, exif=exif)
    training = FolderDataset(data / "images", data / "masks", size=(64, 64))
    monkeypatch.chdir(tmp_path)
    arguments = ["inspect", "--data", str(data)]
    assert cli.main([*arguments, "--html", "page.html"]) == 0
    assert "Problems: none" in capsys.readouterr().out
    assert cli.main([*arguments, "--augment", "gamma", "--draws=1"]) == 0
    inspection = inspect_data(data)
    samples = load_samples(inspection.sets, 3, (64, 64))
    for sample in samples:
        trained = training[training.ids.index(sample["id"])]
        assert sample["size"] == ((96, 128) if orientation < 5 else (128, 96))
        assert torch.equal(sample["mask"], trained["mask"])
        assert torch.equal(sample["image"], trained["image"])
    for record in inspection.records:
        assert record.size == record.lesion.size == samples[0]["size"]
        shown = resize_mask(read_record_mask(record), (64, 64))
        assert torch.equal(shown, training[training.ids.index(record.id)]["mask"])


def test_a_contact_sheet(data, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    arguments = ["inspect", "--data", str(data), "--images=1", "--draws=2", "--size", "32", "48"]
    assert cli.main([*arguments, "--augment", "rotation"]) == 0
    assert "augment.png" in capsys.readouterr().out
    first = Image.open("augment.png").tobytes()
    assert cli.main([*arguments, "--augment", "rotation", "--output=a.png", "--seed=0"]) == 0
    assert Image.open("a.png").tobytes() == first
    assert cli.main([*arguments, "--augment", "--output=all.png"]) == 0
    assert Image.open("all.png").height > 4 * Image.open("a.png").height
    assert cli.main([*arguments, "--augment", "rotation", "--output=a.jpg"]) == 0
    assert Image.open("a.jpg").format == "JPEG"


@pytest.mark.parametrize(
    ("extra", "words"),
    [
        (["--data", "nowhere"], "nowhere"),
        (["--augment", "rotate"], "rotate"),
        (["--augment", "gamma", "--html", "x.html"], "--html"),
        (["--augment", "gamma", "--markdown", "x.md"], "--markdown"),
        (["--output", "x.png"], "--output"),
        (["--augment", "gamma", "--draws", "0"], "--draws"),
        (["--augment", "gamma", "--size", "0", "5"], "size"),
        (["--html", "."], "folder"),
        (["--augment", "gamma", "--output", "."], "ends in .png or .jpg, got ."),
        (["--augment", "gamma", "--output", "x.txt"], "got x.txt"),
    ],
)
def test_a_mistake_gives_one_sentence(extra, words, data, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    arguments = extra if "--data" in extra else ["--data", str(data), *extra]
    assert cli.main(["inspect", *arguments]) == 1
    said = capsys.readouterr()
    assert said.out == ""
    (line,) = (line for line in said.err.splitlines() if line.startswith("lesionseg: error: "))
    assert words in line
    assert list(tmp_path.iterdir()) == []


def test_names_that_the_terminal_cannot_show_do_not_stop_it(tmp_path, monkeypatch):
    save_pair(tmp_path / "Übung", tmp_path / "Übung", "bösartig", 0, ending="_mask")
    (tmp_path / "Übung" / "größer.jpg").write_bytes(b"")
    stream = io.TextIOWrapper(io.BytesIO(), encoding="ascii")
    monkeypatch.setattr(sys, "stdout", stream)
    assert cli.main(["inspect", "--data", str(tmp_path)]) == 0
    stream.flush()
    assert b"gr??er.jpg" in stream.buffer.getvalue()


def test_without_augment_torch_is_not_imported(data, tmp_path):
    script = f"""
import sys
from lesionseg.cli import main as cli
assert cli.main(["inspect", "--data", {str(data)!r}, "--html", "page.html"]) == 0
assert "torch" not in sys.modules, "torch was imported"
"""
    done = subprocess.run(
        [sys.executable, "-c", script], cwd=tmp_path, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
