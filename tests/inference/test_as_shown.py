"""Predictions have the size and orientation that an image viewer shows, whatever the file."""

import numpy as np
import pytest
import torch
from conftest_corner import ORIENTATIONS, SUFFIXES, Bright, place, write_corner
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image

from lesionseg.cli import main as cli
from lesionseg.inference import ExportedPredictor, ExportMetadata, Predictor, loading, segment

SIZE = (32, 48)


@pytest.fixture
def bright(monkeypatch):
    """``lesionseg segment`` with a network that finds the bright corner."""
    predictor = Predictor(Bright().eval(), SIZE)
    monkeypatch.setattr(loading, "load_predictor", lambda *arguments: predictor)
    return predictor


@pytest.fixture(scope="module")
def exported(tmp_path_factory):
    """The same network, in an ONNX file made by hand."""
    onnx = pytest.importorskip("onnx")
    pytest.importorskip("onnxruntime")
    node, value = onnx.helper.make_node, onnx.helper.make_tensor_value_info
    kind = onnx.TensorProto.FLOAT
    number = onnx.helper.make_tensor
    graph = onnx.helper.make_graph(
        [
            node("ReduceMean", ["image", "channels"], ["gray"], keepdims=1),
            node("Sub", ["gray", "level"], ["above"]),
            node("Mul", ["above", "slope"], ["logit"]),
            node("Sigmoid", ["logit"], ["probability"]),
        ],
        "bright",
        [value("image", kind, [1, 3, *SIZE])],
        [value("probability", kind, [1, 1, *SIZE])],
        [
            number("channels", onnx.TensorProto.INT64, [1], [1]),
            number("level", kind, [], [0.5]),
            number("slope", kind, [], [40.0]),
        ],
    )
    model = onnx.helper.make_model(graph, opset_imports=[onnx.helper.make_opsetid("", 18)])
    model.ir_version = 9
    onnx.helper.set_model_props(model, ExportMetadata(SIZE, 0.5).to_properties())
    path = tmp_path_factory.mktemp("onnx") / "bright.onnx"
    onnx.save(model, path)
    return ExportedPredictor(path, threads=1)


def check(mask, shown):
    assert mask.shape == shown.shape
    if min(shown.shape) >= 12:
        assert (mask == shown).mean() > 0.9
        assert place(mask) == place(shown)


def test_segment_writes_masks_and_overlays_as_shown(tmp_path, bright, capsys):
    shown = {}
    for suffix in SUFFIXES:
        for orientation in ORIENTATIONS:
            name = f"{suffix[1:]}-{orientation}"
            path = tmp_path / "in" / f"{name}{suffix}"
            shown[name] = write_corner(path, (40, 66), orientation)
    arguments = ["segment", tmp_path / "in", "--model", "x.ckpt", "--output", tmp_path / "out"]
    assert cli.main([*map(str, arguments), "--probabilities"]) == 0
    assert "32 images segmented" in capsys.readouterr().out
    for name, expected in shown.items():
        check(np.asarray(Image.open(tmp_path / "out" / f"{name}_segmentation.png")) > 0, expected)
        for kind in ("probability", "overlay"):
            with Image.open(tmp_path / "out" / f"{name}_{kind}.png") as image:
                assert (image.height, image.width) == expected.shape


@settings(
    max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    st.tuples(st.integers(1, 120), st.integers(1, 120)),
    st.sampled_from(ORIENTATIONS),
    st.sampled_from(SUFFIXES),
    st.sampled_from(["L", "RGB", "1", "P", "LA", "RGBA"]),
)
def test_every_predictor_gives_the_shown_size_and_place(
    tmp_path, exported, size, orientation, suffix, mode
):
    if suffix == ".jpg" and mode not in ("L", "RGB"):
        mode = "RGB"
    path = tmp_path / f"any{suffix}"
    shown = write_corner(path, size, orientation, mode)
    for predictor in (Predictor(Bright().eval(), SIZE), exported):
        check(segment(path, predictor).mask, shown)


def test_a_picture_in_memory_keeps_its_own_size_and_16_bits_are_scaled(exported):
    deep = Image.fromarray(np.full((9, 14), 20_000, np.uint16))  # less than half of white
    for predictor in (Predictor(Bright().eval(), SIZE), exported):
        result = segment(deep, predictor)
        assert result.mask.shape == (9, 14)
        assert not result.mask.any()


@pytest.mark.parametrize("size", [(60, 20_000), (20_000, 60)])
def test_panoramas(tmp_path, bright, size):
    shown = write_corner(tmp_path / "in" / "wide one.JPG", size)
    arguments = ["segment", tmp_path / "in", "--model", "x.ckpt", "--output", tmp_path / "out"]
    assert cli.main([*map(str, arguments)]) == 0
    check(np.asarray(Image.open(tmp_path / "out" / "wide one_segmentation.png")) > 0, shown)


def test_on_error_skip_lists_what_was_left_out(tmp_path, bright, capsys):
    for name in ("a", "b", "c"):
        write_corner(tmp_path / "in" / f"{name}.png")
    (tmp_path / "in" / "b.png").write_bytes(b"")
    (tmp_path / "in" / "d é.HEIC").write_bytes(b"\0\0\0\x18ftypheic\0\0\0\0")
    (tmp_path / "in" / "folder.jpg").mkdir()
    arguments = ["segment", str(tmp_path / "in"), "--model=x.ckpt", f"--output={tmp_path / 'out'}"]
    assert cli.main(arguments) == 1
    assert "b.png is empty" in capsys.readouterr().err
    assert cli.main([*arguments, "--on-error=skip"]) == 0
    printed = capsys.readouterr()
    assert "2 images segmented" in printed.out
    title, first, second = printed.err.splitlines()
    assert title == "2 images skipped:"
    assert "b.png is empty" in first
    assert "d é.HEIC is in HEIC" in second
    masks = sorted(path.name for path in (tmp_path / "out").glob("*_segmentation.png"))
    assert masks == ["a_segmentation.png", "c_segmentation.png"]


def test_nothing_segmented_is_a_failure(tmp_path, bright, capsys):
    (tmp_path / "a.png").write_bytes(b"nothing")
    out = tmp_path / "out"
    arguments = ["segment", str(tmp_path / "a.png"), "--model=x.ckpt", f"--output={out}"]
    assert cli.main([*arguments, "--on-error=skip"]) == 1
    printed = capsys.readouterr()
    assert "a.png is truncated or not an image" in printed.err
    assert "error: none of 1 image could be segmented" in printed.err
    assert printed.out == ""
    assert not out.exists()


def test_two_forms_of_one_accent_do_not_overwrite_each_other(tmp_path, bright, capsys):
    paths = [tmp_path / "1" / "\u00e9.png", tmp_path / "2" / "e\u0301.png"]
    for path in paths:
        write_corner(path)
    arguments = ["segment", *map(str, paths), "--model=x.ckpt", f"--output={tmp_path / 'out'}"]
    assert cli.main(arguments) == 1
    assert "would both be written" in capsys.readouterr().err


def test_torch_is_quiet_about_large_read_only_arrays(recwarn):
    segment(Image.new("RGB", (70, 50)), Predictor(Bright().eval(), SIZE))
    assert [str(one.message) for one in recwarn] == []
    assert torch.is_grad_enabled()


def test_what_cannot_be_written_or_is_not_there_is_left_out_too(tmp_path, bright, capsys):
    long = tmp_path / f"{'a' * 240}.png"
    write_corner(long, (20, 30))
    write_corner(tmp_path / "fine.png", (20, 30))
    paths = [str(path) for path in (long, tmp_path / "fine.png", tmp_path / "nowhere.png")]
    output = tmp_path / "out"
    arguments = ["segment", *paths, "--model", "x.ckpt", "--output", str(output)]
    assert cli.main(arguments) == 1
    assert "nowhere.png" in capsys.readouterr().err
    assert cli.main([*arguments, "--on-error=skip"]) == 0
    said = capsys.readouterr()
    assert "1 image segmented" in said.out
    for words in ("2 images skipped", "too long for its results", "nowhere.png"):
        assert words in said.err
    assert sorted(path.name for path in output.iterdir()) == [
        "fine_overlay.png",
        "fine_segmentation.png",
        "measures.csv",
    ]
