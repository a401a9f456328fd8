"""Models on the Hugging Face Hub: its real client against a server on this machine."""

import subprocess
import sys

import pytest
import torch

import lesionseg
from lesionseg.errors import CheckpointError, LesionsegError
from lesionseg.models import hub

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
    with pytest.raises(CheckpointError, match="cannot be reached; connect to the network"):
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
    with pytest.raises(LesionsegError, match=r'pip install "lesionseg\[hub\]"'):
        hub.download_pretrained("owner/small")


def test_a_name_that_is_no_hub_id_never_asks_the_network(server):
    with pytest.raises(CheckpointError, match="there is no pretrained model 'asnet-light'"):
        lesionseg.from_pretrained("asnet-light")
    assert not server.requests


@pytest.mark.slow
def test_the_client_is_imported_only_for_the_hub():
    script = (
        "import sys, lesionseg; lesionseg.list_pretrained(); import lesionseg.models.hub;"
        "assert 'huggingface_hub' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", script], check=True)
