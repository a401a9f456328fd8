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


def cells(notebook):
    return [(cell.cell_type, cell.source) for cell in notebook.cells]


def test_the_notebook_is_its_script_with_the_outputs_of_a_clean_run():
    jupytext = pytest.importorskip("jupytext")
    path = EXAMPLES / "blocks.ipynb"
    notebook = nbformat.read(path, as_version=4)
    nbformat.validate(notebook)
    hint = "run python examples/make_notebook.py"
    assert cells(notebook) == cells(jupytext.read(EXAMPLES / "blocks.py")), hint
    code = [cell for cell in notebook.cells if cell.cell_type == "code"]
    assert [cell.execution_count for cell in code] == list(range(1, len(code) + 1)), hint
    outputs = [output for cell in code for output in cell.outputs]
    assert {output.output_type for output in outputs} == {"stream", "display_data"}  # no error
    assert {output.name for output in outputs if output.output_type == "stream"} == {"stdout"}
    assert sum("image/png" in output.get("data", {}) for output in outputs) == 2
    text = path.read_text()
    assert len(text) < 300_000
    assert notebook.metadata.kernelspec.name == "python3"
    assert str(Path.home()) not in text
    assert not re.search(r"/(home|tmp|root|work|Users)/|\d{4}-\d\d-\d\dT\d\d:", text)


@pytest.mark.slow
def test_the_notebook_script_runs_as_plain_python_and_prints_what_the_notebook_shows(tmp_path):
    printed = run(sys.executable, EXAMPLES / "blocks.py", cwd=tmp_path)
    notebook = nbformat.read(EXAMPLES / "blocks.ipynb", as_version=4)
    shown = "".join(
        output.text
        for cell in notebook.cells
        for output in cell.get("outputs", [])
        if output.output_type == "stream"
    )
    # Counts, shapes and sizes are the same everywhere; what is trained depends on the machine.
    exact = [line for line in shown.splitlines() if "error" not in line and "loss" not in line]
    assert len(exact) > 8
    for line in exact:
        assert line in printed.splitlines()


@pytest.mark.slow
def test_the_notebook_can_be_rebuilt(tmp_path):
    pytest.importorskip("nbclient")
    made = tmp_path / "blocks.ipynb"
    run(sys.executable, EXAMPLES / "make_notebook.py", "--output", made, cwd=tmp_path)
    notebook = nbformat.read(made, as_version=4)
    kept = nbformat.read(EXAMPLES / "blocks.ipynb", as_version=4)
    assert cells(notebook) == cells(kept)
    assert [cell.id for cell in notebook.cells] == [cell.id for cell in kept.cells]
    kinds = [
        [
            [
                (output.output_type, sorted(output.get("data", {})))
                for output in cell.get("outputs", [])
            ]
        ]
        for book in (notebook, kept)
        for cell in book.cells
    ]
    assert kinds[: len(kept.cells)] == kinds[len(kept.cells) :]


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
