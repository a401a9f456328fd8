"""ONNX files with odd metadata, inputs or outputs: one sentence that names the file."""

import json

import pytest
from PIL import Image

from lesionseg.errors import CheckpointError
from lesionseg.inference import ExportMetadata, load_predictor

onnx = pytest.importorskip("onnx")
pytest.importorskip("onnxruntime")

SIZE = (4, 6)


@pytest.fixture
def write(tmp_path):
    """A function that writes a network: the mean of the channels, or something odd."""

    def save(metadata=(), shape=(1, 3, *SIZE), kind="FLOAT", name="image", axis=1, outputs=1):
        helper, types = onnx.helper, onnx.TensorProto
        given = helper.make_tensor_value_info(name, getattr(types, kind), shape)
        nodes = [helper.make_node("Cast", [name], ["real"], to=types.FLOAT)]
        names = [f"probability{number}" for number in range(outputs)]
        nodes += [
            helper.make_node("ReduceMean", ["real"], [one], axes=[axis], keepdims=1)
            for one in names
        ]
        results = [helper.make_tensor_value_info(one, types.FLOAT, None) for one in names]
        graph = helper.make_graph(nodes, "mean", [given], results)
        model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)])
        model.ir_version = 8
        properties = ExportMetadata(size=SIZE, threshold=0.5).to_properties()
        properties |= {key: json.dumps(value) for key, value in dict(metadata).items()}
        helper.set_model_props(model, properties)
        onnx.save(model, tmp_path / "net.onnx")
        return tmp_path / "net.onnx"

    return save


@pytest.mark.parametrize("shape", [(1, 3, *SIZE), (1, 3, "height", "width"), ("n", 3, *SIZE)])
def test_a_sound_file_runs(write, shape):
    result = load_predictor(write(shape=shape))(Image.new("RGB", (12, 8), (255, 255, 0)))
    assert result.probability.shape == (8, 12)
    assert result.probability == pytest.approx(2 / 3)
    assert result.mask.all()


@pytest.mark.parametrize(
    "metadata",
    [
        {"size": [4]},
        {"size": None},
        {"size": 5},
        {"size": [4.0, 6.0]},
        {"size": [0, 6]},
        {"size": [True, 6]},
        {"size": [10**6, 10**6]},
        {"size": ["4", "6"]},
        {"threshold": "0.5"},
        {"threshold": None},
        {"threshold": 1.5},
        {"threshold": float("nan")},
        {"input": "int8"},
        {"input": ["float"]},
        {"classes": ["lesion", "hair"]},
        {"classes": 3},
    ],
    ids=str,
)
def test_odd_metadata(write, metadata):
    with pytest.raises(CheckpointError, match=r"net\.onnx is an ONNX file, but not one .*expected"):
        load_predictor(write(metadata))


@pytest.mark.parametrize(
    "odd",
    [
        {"shape": (1, 3, 5, 5)},
        {"shape": (1, 1, *SIZE)},
        {"shape": (2, 3, *SIZE)},
        {"shape": (1, 3, 24)},
        {"kind": "UINT8"},
        {"kind": "DOUBLE"},
        {"name": "x"},
        {"outputs": 2},
    ],
    ids=str,
)
def test_odd_inputs_and_outputs(write, odd):
    with pytest.raises(CheckpointError, match=r"net\.onnx is an ONNX file, but not one .*expected"):
        load_predictor(write(**odd))


def test_an_output_of_another_shape(write):
    predictor = load_predictor(write(axis=2))
    with pytest.raises(
        CheckpointError,
        match=r"expected the output of .*net\.onnx to have the shape \(1, 1, 4, 6\)",
    ):
        predictor(Image.new("RGB", (12, 8)))


def test_a_network_that_fails_at_run_time(write):
    path = write(shape=(1, 3, "height", "width"))
    model = onnx.load(path)
    model.graph.node[1].op_type = "Reshape"  # to a shape that no image has
    del model.graph.node[1].attribute[:]
    model.graph.node[1].input.append("shape")
    model.graph.initializer.append(onnx.helper.make_tensor("shape", 7, [2], [7, 11]))
    onnx.save(model, path)
    predictor = load_predictor(path)
    with pytest.raises(CheckpointError, match=r"the network in .*net\.onnx cannot be run") as error:
        predictor(Image.new("RGB", (12, 8)))
    assert "\n" not in str(error.value)
