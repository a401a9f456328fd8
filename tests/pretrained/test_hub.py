"""Models on the Hugging Face Hub: its real client against a server on this machine."""

import subprocess
import sys

import numpy as np
import pytest
import torch
from PIL import Image

import lesionseg
from lesionseg import hub
from lesionseg.checkpoints import read_checkpoint
from lesionseg.cli import main as cli
from lesionseg.errors import CheckpointError, LesionsegError

pytest.importorskip("huggingface_hub")

from hub_server import HubServer


@pytest.fixture
def server(monkeypatch, tmp_path):
    from huggingface_hub import constants

    server = HubServer()
    monkeypatch.setattr(constants, "ENDPOINT", server.url)
    template = server.url + "/{repo_id}/resolve/{revision}/{filename}"
    monkeypatch.setattr(constants, "HUGGINGFACE_CO_URL_TEMPLATE", template)
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("HF_HUB_DISABLE_PROGRESS_BARS", "1")
    yield server
    server.close()


@pytest.fixture
def model():
    torch.manual_seed(0)
    return lesionseg.from_pretrained("mobilegan")


def test_what_is_pushed_is_what_is_loaded(server, model):
    url = model.push_to_hub("owner/small", token="hf_secret")
    assert url.startswith(f"{server.url}/owner/small/commit/")
    pushed = server.repositories["owner/small"]
    assert sorted(pushed) == ["README.md", "card.json", "model.safetensors", "trained-on.txt"]
    loaded = lesionseg.from_pretrained("owner/small")
    assert type(loaded) is type(model)
    assert not loaded.training
    assert loaded.trained_on == model.trained_on
    for name, value in model.network.state_dict().items():
        assert torch.equal(loaded.network.state_dict()[name], value), name
    fetched = {path for method, path in server.requests if method == "GET" and "/resolve/" in path}
    assert not any("README" in path for path in fetched)


def test_a_model_in_the_cache_needs_no_network(server, model):
    model.push_to_hub("owner/small", token="hf_secret")
    lesionseg.from_pretrained("owner/small")
    server.close()
    assert lesionseg.from_pretrained("owner/small").size == model.size


def test_the_card_on_the_hub(server, model):
    model.push_to_hub("owner/small", token="hf_secret")
    text = server.repositories["owner/small"]["README.md"].decode()
    _, front, rest = text.split("---\n", 2)
    import yaml

    facts = yaml.safe_load(front)
    assert facts["library_name"] == "lesionseg"
    assert facts["pipeline_tag"] == "image-segmentation"
    assert "mobilegan" in facts["tags"]
    assert 'lesionseg.from_pretrained("owner/small")' in rest
    assert "not a medical device" in rest
    assert "128 x 128" in rest


def test_an_id_that_does_not_exist(server):
    with pytest.raises(CheckpointError, match="no model owner/absent on the Hugging Face Hub"):
        lesionseg.from_pretrained("owner/absent")


def test_a_repository_without_a_card(server):
    server.repositories["owner/other"] = {"model.safetensors": b"x"}
    with pytest.raises(CheckpointError, match=r"owner/other .* has no card\.json"):
        lesionseg.from_pretrained("owner/other")


def test_changed_weights_are_not_used(server, model):
    model.push_to_hub("owner/small", token="hf_secret")
    files = server.repositories["owner/small"]
    files["model.safetensors"] = files["model.safetensors"][:-1] + b"\1"
    with pytest.raises(CheckpointError, match="SHA-256 differs"):
        lesionseg.from_pretrained("owner/small")


def test_no_network(server):
    server.close()
    with pytest.raises(
        CheckpointError, match=r"no file or folder owner/small: .* cannot be reached .*; connect"
    ):
        lesionseg.from_pretrained("owner/small")


def test_a_refused_upload(server, model):
    server.fail_with = 403
    with pytest.raises(CheckpointError, match=r"refused owner/small \(status 403\); log in"):
        model.push_to_hub("owner/small", token="hf_secret")


def test_a_wrong_id_is_no_upload(server, model):
    with pytest.raises(ValueError, match="expected hub_id to be owner/name, got 'small'"):
        model.push_to_hub("small")
    assert not server.requests


def test_a_folder_is_preferred_to_the_hub(server, model, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    model.save_pretrained("owner/small")
    assert lesionseg.from_pretrained("owner/small").size == model.size
    assert not server.requests


def test_no_client(monkeypatch):
    monkeypatch.setitem(sys.modules, "huggingface_hub", None)
    message = r'no file or folder owner/small; .* pip install "lesionseg\[hub\]"'
    with pytest.raises(LesionsegError, match=message):
        hub.download_pretrained("owner/small")


def test_an_upload_without_network(server, model):
    server.close()
    with pytest.raises(
        CheckpointError, match=r"owner/small was not uploaded: .* cannot be reached"
    ):
        model.push_to_hub("owner/small", token="hf_secret")


@pytest.mark.parametrize("path", ["runs/best.ckpt", "runs/small.onnx", "a/b/c", "asnet-light"])
def test_paths_of_other_files_are_not_looked_up(path, server):
    assert hub.locate_pretrained(path) is None
    assert not server.requests


class TestCommands:
    """The commands take ``owner/name`` as they take the name of a packaged model."""

    QUIET = (
        *("--trainer.accelerator=cpu", "--trainer.enable_progress_bar=false"),
        *("--trainer.enable_model_summary=false", "--data=SyntheticDataModule"),
        *("--data.train_length=4", "--data.val_length=2", "--data.test_length=2"),
        "--data.batch_size=2",
    )

    @pytest.fixture
    def tiny(self, server, tmp_path, monkeypatch):
        """A tiny model on the Hub, and an empty current folder."""
        monkeypatch.chdir(tmp_path)
        torch.manual_seed(0)
        model = lesionseg.Segmenter("segan", network_arguments={"width": 2}, size=(32, 32))
        model.trained_on = frozenset({"ISIC_0000001"})
        model.push_to_hub("owner/tiny-v1.0", token="hf_secret")
        return model

    def test_test(self, tiny, tmp_path):
        assert cli.main(["test", "--pretrained", "owner/tiny-v1.0", *self.QUIET]) == 0
        (record,) = tmp_path.rglob("scores.json")
        assert record.parent.parent == tmp_path / "runs"  # not in the cache of the client
        assert record.parent.name.startswith("tiny-v1.0-test-")

    def test_fit(self, tiny, tmp_path):
        options = ["--model.init_from=owner/tiny-v1.0", "--trainer.max_epochs=1"]
        assert cli.main(["fit", *options, *self.QUIET]) == 0
        (path,) = tmp_path.rglob("best.ckpt")
        checkpoint = read_checkpoint(path)
        assert checkpoint["hyper_parameters"]["_class_path"].endswith(".Segmenter")
        assert "ISIC_0000001" in checkpoint["lesionseg"]["trained_on"]

    def test_segment(self, tiny, tmp_path, capsys):
        Image.new("RGB", (50, 40)).save(tmp_path / "photo.png")
        assert cli.main(["segment", "photo.png", "--model", "owner/tiny-v1.0"]) == 0
        expected = lesionseg.segment(tmp_path / "photo.png", tiny.eval()).mask
        with Image.open(tmp_path / "segmented" / "photo_segmentation.png") as written:
            assert (np.asarray(written) > 0).tolist() == expected.tolist()

    @pytest.mark.slow
    def test_export(self, tiny, tmp_path):
        assert cli.main(["export", "owner/tiny-v1.0", "--format", "torch"]) == 0
        assert (tmp_path / "tiny-v1.0.pt2").is_file()

    @pytest.mark.parametrize(
        "command",
        [
            ["test", "--pretrained", "owner/absent", "--data=SyntheticDataModule"],
            ["fit", "--model.init_from=owner/absent", "--data=SyntheticDataModule"],
            ["segment", "photo.png", "--model", "owner/absent"],
            ["export", "owner/absent"],
        ],
    )
    @pytest.mark.parametrize("reachable", [True, False])
    def test_a_name_that_is_nothing(
        self, command, reachable, server, tmp_path, monkeypatch, capsys
    ):
        monkeypatch.chdir(tmp_path)
        Image.new("RGB", (50, 40)).save(tmp_path / "photo.png")
        if not reachable:
            server.close()
        assert cli.main(command) == 1
        lines = capsys.readouterr().err.strip().splitlines()
        assert "there is no file or folder owner/absent" in lines[-1]
        assert ("no model owner/absent" if reachable else "cannot be reached") in lines[-1]


def test_a_name_that_is_no_hub_id_never_asks_the_network(server):
    with pytest.raises(CheckpointError, match="there is no pretrained model 'asnet-light'"):
        lesionseg.from_pretrained("asnet-light")
    assert not server.requests


@pytest.mark.slow
def test_the_client_is_imported_only_for_the_hub():
    script = (
        "import sys, lesionseg; lesionseg.list_pretrained(); import lesionseg.hub;"
        "assert 'huggingface_hub' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", script], check=True)
