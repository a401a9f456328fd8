"""Every example runs, with small settings, in its own process and folder."""

import re
import sys
import zipfile
from pathlib import Path

import nbformat
import numpy as np
import pytest
from conftest_cli import TINY
from conftest_cli import run_well as run
from conftest_isic import write_isic
from PIL import Image

from lesionseg.data import ISICDataset
from lesionseg.metrics import ScoreTable
from lesionseg.scoring.predictions import score_predictions

EXAMPLES = Path(__file__).resolve().parent.parent / "examples"
SCORES = ("accuracy", "sensitivity", "specificity", "jaccard", "threshold_jaccard", "dice")


def is_mask(path, size):
    mask = Image.open(path)
    return mask.mode == "L" and mask.size == size and set(np.unique(np.asarray(mask))) <= {0, 255}


@pytest.mark.slow
def test_python_api(tmp_path):
    small = ["--epochs=1", "--size", "32", "64", "--images=16", "--output=out"]
    printed = run(sys.executable, EXAMPLES / "python_api.py", *small, cwd=tmp_path)
    table = ScoreTable.from_csv(tmp_path / "out" / "scores.csv")
    assert len(table) == 4
    assert f"Jaccard {table.summary()['jaccard']:.3f}" in printed
    masks = sorted((tmp_path / "out" / "masks").iterdir())
    assert [path.stem for path in masks] == sorted(table.ids)
    assert all(is_mask(path, (64, 32)) for path in masks)
    assert (tmp_path / "out" / "best.ckpt").stat().st_size > 1e6
    assert Image.open(tmp_path / "out" / "overlay.png").size == (320, 240)
    assert len((EXAMPLES / "python_api.py").read_text().splitlines()) < 80


@pytest.mark.slow
def test_command_line(tmp_path):
    printed = run(
        *("sh", EXAMPLES / "command_line.sh"),
        cwd=tmp_path,
        PYTHON=sys.executable,
        OUTPUT="out",
        EPOCHS="1",
        SIZE="[32,32]",
        IMAGES="16",
    )
    out = tmp_path / "out"
    assert len(ScoreTable.from_csv(out / "test" / "scores.csv")) == 2
    assert (out / "test" / "overlays.png").stat().st_size > 0
    with zipfile.ZipFile(out / "predict" / "submission.zip") as archive:
        assert len(archive.namelist()) == 2
    assert (out / "masks" / "measures.csv").is_file()
    masks = sorted((out / "masks").glob("*.png"))
    assert len(masks) == 5
    assert all(is_mask(path, (320, 240)) for path in masks)
    # the last table printed is that of `lesionseg score`
    jaccard = score_predictions(out / "truth", out / "masks").summary()["jaccard"]
    assert f"{jaccard:.4f}" in re.findall(r"^jaccard .*", printed, re.MULTILINE)[-1]


NOTEBOOKS = {  # pictures in each
    "segment_photographs": 2,
    "fine_tune": 1,
    "train_and_compare": 1,
    "blocks": 2,
    "export_to_phone": 1,
}


def read_notebook(name, folder=EXAMPLES):
    return nbformat.read(folder / f"{name}.ipynb", as_version=4)


def cells(notebook):
    return [(cell.cell_type, cell.source) for cell in notebook.cells]


def outputs_of(notebook):
    return [output for cell in notebook.cells for output in cell.get("outputs", [])]


def lines_of(notebook):
    """The lines that a notebook shows as text."""
    streams = (output for output in outputs_of(notebook) if output.output_type == "stream")
    return "".join(output.text for output in streams).splitlines()


@pytest.mark.parametrize("name", NOTEBOOKS)
def test_a_notebook_is_its_script_with_the_outputs_of_a_clean_run(name):
    jupytext = pytest.importorskip("jupytext")
    notebook = read_notebook(name)
    nbformat.validate(notebook)
    hint = f"run python examples/make_notebook.py {name}"
    assert cells(notebook) == cells(jupytext.read(EXAMPLES / f"{name}.py")), hint
    code = [cell for cell in notebook.cells if cell.cell_type == "code"]
    assert [cell.execution_count for cell in code] == list(range(1, len(code) + 1)), hint
    outputs = outputs_of(notebook)
    assert {output.output_type for output in outputs} == {"stream", "display_data"}  # no error
    assert {output.name for output in outputs if output.output_type == "stream"} == {"stdout"}
    assert sum("image/png" in output.get("data", {}) for output in outputs) == NOTEBOOKS[name]
    text = (EXAMPLES / f"{name}.ipynb").read_text()
    assert len(text) < 800_000
    assert notebook.metadata.kernelspec.name == "python3"
    assert str(Path.home()) not in text
    assert not re.search(r"/(home|tmp|root|work|Users)/|\d{4}-\d\d-\d\dT\d\d:", text)


def test_the_notebooks_are_those_of_the_script_that_makes_them():
    assert {path.stem for path in EXAMPLES.glob("*.ipynb")} == set(NOTEBOOKS)


@pytest.mark.slow
def test_the_blocks_run_as_plain_python_and_print_what_the_notebook_shows(tmp_path):
    printed = run(sys.executable, EXAMPLES / "blocks.py", cwd=tmp_path)
    # Counts, shapes and sizes are the same everywhere; what is trained depends on the machine.
    exact = [
        line
        for line in lines_of(read_notebook("blocks"))
        if "error" not in line and "loss" not in line
    ]
    assert len(exact) > 8
    for line in exact:
        assert line in printed.splitlines()


def without_numbers(line):
    return re.sub(r"[\d.,+-]+|\s+", "", line)


@pytest.mark.slow
@pytest.mark.parametrize("name", NOTEBOOKS)
def test_a_notebook_can_be_rebuilt(name, tmp_path):
    pytest.importorskip("nbclient")
    if name == "export_to_phone":
        pytest.importorskip("onnxruntime")
    run(sys.executable, EXAMPLES / "make_notebook.py", name, "--output", tmp_path, cwd=tmp_path)
    made, kept = read_notebook(name, tmp_path), read_notebook(name)
    assert cells(made) == cells(kept)
    assert [cell.id for cell in made.cells] == [cell.id for cell in kept.cells]
    assert [
        (output.output_type, sorted(output.get("data", {}))) for output in outputs_of(made)
    ] == [(output.output_type, sorted(output.get("data", {}))) for output in outputs_of(kept)]
    # what is trained depends on the machine, and with it numbers and what follows from them
    lines, expected = (
        [without_numbers(line)[:12] for line in lines_of(notebook)] for notebook in (made, kept)
    )
    end = next((row for row, line in enumerate(expected) if line.startswith("Wilcoxon")), None)
    assert lines[:end] == expected[:end]


def commands(printed):
    """Return the lesionseg commands that the quickstart printed."""
    return [line.split()[2] for line in printed.splitlines() if line.startswith("$ lesionseg ")]


@pytest.mark.slow
def test_quickstart_reuses_a_finished_training_and_resumes_an_interrupted_one(tmp_path):
    def quickstart(epochs):
        return run(
            *(sys.executable, EXAMPLES / "quickstart.py"),
            *("--run", tmp_path / "quick", "--config", "quickstart"),
            *(
                word.replace("--data.", "--data.init_args.")
                for word in TINY
                if "--data=" not in word
            ),
            f"--trainer.max_epochs={epochs}",
            "--model.init_args.schedule=constant",
            cwd=tmp_path,
        )

    folder = tmp_path / "quick"
    best, finished = folder / "checkpoints" / "best.ckpt", folder / "finished"
    printed = quickstart(1)
    assert commands(printed) == ["fit", "test", "predict"]
    assert all(name in printed for name in SCORES)
    assert len(ScoreTable.from_csv(folder / "scores.csv")) == 3
    assert len(list((folder / "predictions" / "masks").iterdir())) == 3
    assert (folder / "overlays.png").stat().st_size > 0
    assert finished.exists()

    when = best.stat().st_mtime_ns
    printed = quickstart(1)
    assert "is trained already" in printed
    assert commands(printed) == ["test", "predict"]
    assert best.stat().st_mtime_ns == when

    finished.unlink()  # as if it had been killed between the end of its fit and this mark
    printed = quickstart(1)
    assert commands(printed) == ["fit", "test", "predict"]
    assert finished.exists()
    assert best.stat().st_mtime_ns == when

    first_epoch = folder / "overlays" / "epoch-000.png"
    drawn = first_epoch.stat().st_mtime_ns
    finished.unlink()  # as if it had been interrupted after the first of two epochs
    printed = quickstart(2)
    assert commands(printed) == ["fit", "test", "predict"]
    assert "last.ckpt" in printed
    assert finished.exists()
    assert first_epoch.with_name("epoch-001.png").exists()
    assert first_epoch.stat().st_mtime_ns == drawn  # not run again


@pytest.mark.slow
def test_pack_isic(tmp_path):
    ids = write_isic(tmp_path / "isic", 2018, "train", 3)
    packed = tmp_path / "small.zip"
    printed = run(
        *(sys.executable, EXAMPLES / "pack_isic.py", tmp_path / "isic", packed, "--size", 16, 24),
        cwd=tmp_path,
    )
    assert "ISIC 2018 val: not in" in printed
    with zipfile.ZipFile(packed) as archive:
        archive.extractall(tmp_path / "unpacked")
    data = ISICDataset(tmp_path / "unpacked", 2018, "train", size=(16, 24))
    assert data.ids == ids
    original = ISICDataset(tmp_path / "isic", 2018, "train", size=(16, 24))
    for small, large in zip(data, original, strict=True):
        assert small["size"] == (16, 24)
        assert (small["mask"] == large["mask"]).all()
        assert (small["image"] - large["image"]).abs().mean() < 0.05
