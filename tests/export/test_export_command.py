"""Export and segment through the program, as a user types them."""

import subprocess
import sys

import numpy as np
import pytest
from PIL import Image

import lesionseg
from lesionseg.cli.main import main
from lesionseg.data import SyntheticLesions
from lesionseg.errors import CheckpointError, LesionsegError
from lesionseg.inference import load_predictor
from lesionseg.visualization import to_picture


@pytest.fixture(scope="module")
def photograph(tmp_path_factory):
    path = tmp_path_factory.mktemp("photographs") / "one.png"
    to_picture(SyntheticLesions(1, (300, 410))[0]["image"]).save(path)
    return path


def test_segment_runs_the_file_without_torch(checkpoint, photograph, tmp_path, capsys):
    exported = tmp_path / "net.onnx"
    assert main(["export", str(checkpoint), "--output", str(exported)]) == 0
    said = capsys.readouterr().out
    assert "at 64 x 80" in said
    assert "Difference:" in said
    command = ["segment", str(photograph), "--probabilities", "--output", str(tmp_path / "masks")]
    program = (
        "import sys; from lesionseg.cli.main import main; "
        f"assert main({[*command, '--model', str(exported)]!r}) == 0; "
        "assert 'torch' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", program], check=True)
    eager = lesionseg.segment(photograph, checkpoint)
    probability = np.asarray(Image.open(tmp_path / "masks" / "one_probability.png")) / 65535
    # Resizing rounds to 8 bits: torch and Pillow may differ by one of 255 levels.
    assert np.abs(probability - eager.probability).max() < 0.01
    mask = np.asarray(Image.open(tmp_path / "masks" / "one_segmentation.png")) > 128
    assert mask.shape == (300, 410)
    assert (mask != eager.mask).mean() < 0.001


def test_views_are_averaged_with_and_without_torch(checkpoint, photograph, tmp_path):
    averaged = load_predictor(checkpoint, test_time_augmentation="flips_and_rotations")
    expected = averaged(Image.open(photograph)).probability
    plain = load_predictor(checkpoint)(Image.open(photograph)).probability
    assert np.abs(plain - expected).max() > 1e-3
    exported = tmp_path / "free.onnx"
    assert main(["export", str(checkpoint), "--output", str(exported), "--dynamic"]) == 0
    for model, spelling in (
        (checkpoint, "--test-time-augmentation"),
        (exported, "--test_time_augmentation"),
    ):
        command = ["segment", str(photograph), "--model", str(model), "--probabilities"]
        command += [spelling, "flips_and_rotations", "--output", str(tmp_path / "masks")]
        assert main(command) == 0
        probability = np.asarray(Image.open(tmp_path / "masks" / "one_probability.png")) / 65535
        # torch and Pillow resize to 8 bits, and may differ by one of 255 levels.
        assert np.abs(probability - expected).max() < 0.01


def test_quarter_turns_need_a_file_that_takes_them(checkpoint, tmp_path):
    exported = tmp_path / "net.onnx"
    assert main(["export", str(checkpoint), "--output", str(exported)]) == 0
    flips = load_predictor(exported, test_time_augmentation="flips")
    assert flips(Image.new("RGB", (50, 40))).mask.shape == (40, 50)
    with pytest.raises(LesionsegError, match=r"net\.onnx takes images of 64 x 80 only"):
        load_predictor(exported, test_time_augmentation="flips_and_rotations")


def test_the_file_lies_beside_the_checkpoint_by_default(checkpoint, tmp_path):
    copy = tmp_path / "best.ckpt"
    copy.write_bytes(checkpoint.read_bytes())
    assert main(["export", str(copy), "--size", "32", "32", "--input", "uint8"]) == 0
    predictor = load_predictor(tmp_path / "best.onnx")
    assert predictor.metadata.size == (32, 32)
    assert predictor(Image.new("RGB", (50, 40))).mask.shape == (40, 50)


def test_files_that_cannot_be_used_are_named(checkpoint, tmp_path):
    with pytest.raises(CheckpointError, match=r"absent\.onnx"):
        load_predictor(tmp_path / "absent.onnx")
    assert main(["export", str(checkpoint), "--output", str(tmp_path / "net.onnx")]) == 0
    content = (tmp_path / "net.onnx").read_bytes()
    (tmp_path / "cut.onnx").write_bytes(content[: len(content) // 2])
    with pytest.raises(CheckpointError, match=r"cut\.onnx .* cut off"):
        load_predictor(tmp_path / "cut.onnx")
    import onnx

    foreign = onnx.load(tmp_path / "net.onnx")
    del foreign.metadata_props[:]
    onnx.save(foreign, tmp_path / "foreign.onnx")
    with pytest.raises(CheckpointError, match=r"foreign\.onnx is an ONNX file, but not one"):
        load_predictor(tmp_path / "foreign.onnx")
    with pytest.raises(CheckpointError, match="other runtimes"):
        load_predictor(tmp_path / "net.pte")
