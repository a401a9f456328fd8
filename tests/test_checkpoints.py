"""A stranger's checkpoint: nothing in it runs, imports or downloads, and each fault is named."""

import os
import socket
import sys
import zipfile
from pathlib import Path

import pytest
import torch
import yaml
from lightning.pytorch import Trainer

from lesionseg import Segmenter
from lesionseg.callbacks.checkpoint_io import AtomicCheckpointIO
from lesionseg.checkpoints import forget, load_weights, read_checkpoint
from lesionseg.cli import main as cli
from lesionseg.errors import CheckpointError, LesionsegError
from lesionseg.export import export_checkpoint
from lesionseg.inference import load_predictor
from lesionseg.networks import create_network
from lesionseg.networks.encoder_weights import load_encoder_weights

TEST = [
    "test",
    "--data=SyntheticDataModule",
    "--data.size=[32,32]",
    "--data.test_length=2",
    "--data.train_length=2",
    "--data.val_length=2",
    "--trainer.accelerator=cpu",
    "--trainer.logger=false",
    "--trainer.enable_progress_bar=false",
    "--trainer.enable_model_summary=false",
]


def save(model, path):
    trainer = Trainer(
        accelerator="cpu", logger=False, enable_checkpointing=False, enable_model_summary=False
    )
    trainer.strategy.connect(model)
    trainer.save_checkpoint(path)
    return path


@pytest.fixture(scope="module")
def sound(tmp_path_factory):
    """The checkpoint of a tiny network, as the Trainer writes it."""
    model = Segmenter("unet", {"width": 4}, size=(32, 48), threshold=0.4)
    return save(model, tmp_path_factory.mktemp("sound") / "sound.ckpt")


@pytest.fixture
def changed(sound, tmp_path):
    """A function that saves the sound checkpoint with a change, and returns its path."""

    def save_changed(change):
        content = torch.load(sound, weights_only=True)
        change(content)
        torch.save(content, tmp_path / "changed.ckpt")
        return tmp_path / "changed.ckpt"

    return save_changed


def run(capsys, *arguments):
    """Exit code and stderr of the program in this process."""
    code = cli.main(list(map(str, arguments)))
    return code, capsys.readouterr().err


def test_a_sound_checkpoint_is_read_by_all_ways(sound, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    model = Segmenter.load_from_checkpoint(sound)
    predictor = load_predictor(sound)
    assert model.size == predictor.size == (32, 48)
    assert model.threshold == predictor.threshold == 0.4
    saved = torch.load(sound, weights_only=True)["state_dict"]
    for key, value in model.state_dict().items():
        assert torch.equal(value, saved[key])
        assert torch.equal(predictor.network.state_dict()[key.removeprefix("network.")], value)
    other = Segmenter.load_from_checkpoint(sound, threshold=0.6, map_location="cpu")
    assert (other.threshold, other.size) == (0.6, (32, 48))
    (tmp_path / "hparams.yaml").write_text("{network: unet, network_arguments: {width: 4}}")
    assert Segmenter.load_from_checkpoint(sound, hparams_file="hparams.yaml").threshold == 0.5
    assert run(capsys, *TEST, f"--ckpt_path={sound}")[0] == 0


class Bomb:
    """Makes a folder when it is unpickled."""

    def __init__(self, folder):
        self.folder = folder

    def __reduce__(self):
        return os.mkdir, (str(self.folder),)


WAYS = {
    "load_weights": load_weights,
    "read_checkpoint": read_checkpoint,
    "the Trainer": AtomicCheckpointIO().load_checkpoint,
    "load_from_checkpoint": Segmenter.load_from_checkpoint,
    "load_predictor": load_predictor,
    "encoder weights": lambda path: create_network("asnet", encoder_weights=str(path)),
    "export": lambda path: export_checkpoint(path, Path(path).with_suffix(".onnx")),
}


@pytest.mark.parametrize("way", WAYS)
def test_code_in_a_file_never_runs(way, changed, tmp_path):
    mark = tmp_path / "ran"
    path = changed(lambda content: content.update(bomb=Bomb(mark)))
    with pytest.raises(CheckpointError, match=r"changed\.ckpt"):
        WAYS[way](path)
    assert not mark.exists()
    torch.load(path, weights_only=False)  # the file does what the test believes
    assert mark.exists()


@pytest.mark.parametrize("command", ["fit", "validate", "test", "predict"])
@pytest.mark.parametrize("plugin", [[], ["--trainer.plugins=null"]])
def test_code_in_a_file_never_runs_in_a_command(
    command, plugin, changed, tmp_path, capsys, monkeypatch
):
    monkeypatch.chdir(tmp_path)
    mark = tmp_path / "ran"
    path = changed(lambda content: content.update(bomb=Bomb(mark)))
    code, said = run(capsys, command, *TEST[1:], *plugin, f"--ckpt_path={path}")
    assert code == 1
    assert "could run code" in said
    assert not mark.exists()


@pytest.mark.parametrize("way", [way for way in WAYS if way not in ("encoder weights", "export")])
@pytest.mark.parametrize("url", ["http://127.0.0.1:9/x.ckpt", "s3://bucket/x.ckpt"])
def test_urls_are_refused(way, url, monkeypatch):
    monkeypatch.setattr(socket.socket, "connect", lambda *_: pytest.fail("it connects"))
    with pytest.raises(CheckpointError, match=r"is a URL; download the file"):
        WAYS[way](url)


@pytest.mark.parametrize("command", ["fit", "test"])
def test_a_url_is_refused_on_the_command_line(command, tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(socket.socket, "connect", lambda *_: pytest.fail("it connects"))
    monkeypatch.chdir(tmp_path)
    options = ["--model=Segmenter", "--ckpt_path=https://127.0.0.1:9/x.ckpt"]
    code, said = run(capsys, command, *TEST[1:], *options)
    assert code == 1
    assert "https://127.0.0.1:9/x.ckpt is a URL; download the file" in said
    assert list(tmp_path.iterdir()) == []


def test_weights_only_cannot_be_switched_off(sound):
    for way in (Segmenter.load_from_checkpoint, AtomicCheckpointIO().load_checkpoint):
        way(sound, weights_only=True)
        with pytest.raises(ValueError, match="weights_only to be True or None, got False"):
            way(sound, weights_only=False)


def test_a_small_file_that_unpacks_to_a_huge_one_is_refused(sound, tmp_path):
    path = tmp_path / "bomb.ckpt"
    with (
        zipfile.ZipFile(sound) as source,
        zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as target,
    ):
        for info in source.infolist():
            target.writestr(info.filename, source.read(info))
        target.writestr("sound/data/9999", bytes(8 << 20))
    with pytest.raises(CheckpointError, match=r"bomb\.ckpt cannot be read"):
        read_checkpoint(path)


def test_pipes_and_folders_are_refused(tmp_path):
    with pytest.raises(CheckpointError, match=r"holds no card\.json"):
        read_checkpoint(tmp_path)
    if hasattr(os, "mkfifo"):
        os.mkfifo(tmp_path / "pipe.ckpt")
        with pytest.raises(CheckpointError, match=r"pipe\.ckpt is not a regular file"):
            read_checkpoint(tmp_path / "pipe.ckpt")


@pytest.mark.parametrize(
    "content",
    [
        [],
        {},
        {"state_dict": 1},
        {"state_dict": {1: torch.ones(1)}},
        {"state_dict": {"a": "text"}},
        {"state_dict": {}, "hyper_parameters": [1]},
    ],
)
def test_other_content_is_no_checkpoint(content, tmp_path):
    torch.save(content, tmp_path / "x.ckpt")
    with pytest.raises(CheckpointError, match=r"x\.ckpt is (not a checkpoint|damaged)"):
        read_checkpoint(tmp_path / "x.ckpt")


# -- pretrained weights ------------------------------------------------------------------------


def test_a_checkpoint_that_names_pretrained_weights_downloads_nothing(tmp_path, monkeypatch):
    def refuse(*_):
        raise OSError("offline")

    path = save(Segmenter("smp:unet/resnet18", size=(32, 32)), tmp_path / "x.ckpt")
    content = torch.load(path, weights_only=True)
    arguments = {"encoder_weights": "imagenet"}
    content["hyper_parameters"]["network_arguments"] = arguments
    content["lesionseg"]["network"]["arguments"] = arguments
    torch.save(content, path)
    monkeypatch.setattr(socket.socket, "connect", refuse)
    monkeypatch.setenv("HF_HOME", str(tmp_path / "hub"))
    monkeypatch.setenv("TORCH_HOME", str(tmp_path / "torch"))
    model = Segmenter.load_from_checkpoint(path)
    for key, value in load_predictor(path).network.state_dict().items():
        assert torch.equal(value, model.network.state_dict()[key])


def test_sources_are_forgotten_at_every_depth_and_the_original_stays():
    inner = {"encoder_weights": "imagenet", "width": 4}
    arguments = {"encoder_weights": "a", "network": inner, "more": [{"x": inner}], "n": 1}
    forget(arguments)
    without = {"encoder_weights": None, "width": 4}
    expected = {"encoder_weights": None, "network": without, "more": [{"x": without}], "n": 1}
    assert arguments == expected
    assert inner["encoder_weights"] == "imagenet"


@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("smp:unet/tu-hf-hub:someone/model", {}),
        ("smp:unet/tu-resnet18", {"checkpoint_path": "x.pth"}),
        ("smp:unet/tu-resnet18", {"pretrained_cfg": {"url": "http://127.0.0.1:9"}}),
    ],
)
def test_a_network_has_no_other_source_of_weights(name, options, monkeypatch):
    monkeypatch.setattr(socket.socket, "connect", lambda *_: pytest.fail("it connects"))
    with pytest.raises(LesionsegError, match=r"to be a name of timm|is not an option"):
        create_network(name, **options)


def test_downloaded_encoder_weights_are_not_unpickled():
    asked = {}

    class Fake_Weights:
        url = "http://127.0.0.1:9/fake-00000000.pth"

        def get_state_dict(self, **options):
            asked.update(options)
            return {"weight": torch.ones(1, 1), "bias": torch.ones(1)}

    encoder = torch.nn.Linear(1, 1)
    load_encoder_weights(encoder, "imagenet", Fake_Weights(), lambda state: state)
    assert asked["weights_only"] is True
    assert asked["check_hash"] is True


# -- classes -----------------------------------------------------------------------------------


@pytest.fixture
def elsewhere(tmp_path, monkeypatch):
    """A module on the path whose import leaves a mark."""
    mark = tmp_path / "imported"
    (tmp_path / "elsewhere_module.py").write_text(
        f"from pathlib import Path\nPath({str(mark)!r}).touch()\n"
        "from lesionseg import Segmenter\nclass Mine(Segmenter): pass\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.chdir(tmp_path)
    yield mark
    sys.modules.pop("elsewhere_module", None)


def test_a_foreign_class_is_not_imported_unless_the_user_names_it(changed, elsewhere, capsys):
    path = changed(lambda c: c["hyper_parameters"].update(_class_path="elsewhere_module.Mine"))
    code, said = run(capsys, *TEST, f"--ckpt_path={path}")
    assert code == 1
    assert "is of the class elsewhere_module.Mine, which is not of this package" in said
    assert not elsewhere.exists()
    code, said = run(capsys, *TEST, f"--ckpt_path={path}", "--model=elsewhere_module.Mine")
    assert code == 0, said  # with the checkpoint's own arguments
    assert elsewhere.exists()
    Path("mine.yaml").write_text("model: {class_path: elsewhere_module.Mine}")
    code, said = run(capsys, *TEST, f"--ckpt_path={path}", "--config=mine.yaml")
    assert code == 0, said


@pytest.mark.parametrize(
    "arguments",
    [
        {"x": {"class_path": "elsewhere_module.Mine"}},
        {"x": [{"class_path": "elsewhere_module.Mine", "init_args": {}}]},
        {"x": '{"class_path": "elsewhere_module.Mine"}'},
    ],
)
def test_a_class_among_the_arguments_is_not_imported(arguments, changed, elsewhere, capsys):
    path = changed(lambda c: c["hyper_parameters"].update(network_arguments=arguments))
    code, said = run(capsys, *TEST, f"--ckpt_path={path}")
    assert code == 1
    assert "changed.ckpt is not used, because it names a class to import" in said
    assert not elsewhere.exists()


def test_lightning_calls_no_instantiator(changed, elsewhere):
    path = changed(lambda c: c["hyper_parameters"].update(_instantiator="elsewhere_module.Mine"))
    assert "_instantiator" not in read_checkpoint(path)["hyper_parameters"]
    Segmenter.load_from_checkpoint(path)
    assert not elsewhere.exists()


# -- what a command is given -------------------------------------------------------------------


@pytest.mark.parametrize("command", ["test", "validate"])
def test_a_checkpoint_may_stand_in_a_configuration_file(
    command, sound, tmp_path, capsys, monkeypatch
):
    monkeypatch.chdir(tmp_path)
    Path("with.yaml").write_text(yaml.safe_dump({"ckpt_path": str(sound)}))
    Path("wrong.yaml").write_text(yaml.safe_dump({"ckpt_path": "absent.ckpt"}))
    options = [command, *TEST[1:]]
    assert run(capsys, *options, "--config=with.yaml")[0] == 0
    code, said = run(capsys, *options, "--config=with.yaml", "-c", "wrong.yaml")
    assert (code, "there is no checkpoint absent.ckpt" in said) == (1, True)
    assert run(capsys, *options, "--config=wrong.yaml", f"--ckpt_path={sound}")[0] == 0


# -- faults ------------------------------------------------------------------------------------


FAULTS = {
    "without size": (lambda c: c["lesionseg"].pop("size"), "expected size to be two positive"),
    "huge": (lambda c: c["lesionseg"].update(size=[10**6, 10**6]), "got .1000000, 1000000."),
    "a size of words": (lambda c: c["lesionseg"].update(size=["a", 1]), "expected size to be two"),
    "without threshold": (
        lambda c: c["lesionseg"].pop("threshold"),
        "expected threshold to be between 0 and 1",
    ),
    "a threshold of 2": (lambda c: c["lesionseg"].update(threshold=2.0), "got 2.0"),
    "without network": (lambda c: c["lesionseg"].update(network={}), "does not name its network"),
    "an unknown network": (
        lambda c: c["lesionseg"]["network"].update(name="nothing"),
        "there is no network .nothing.",
    ),
    "an argument of another version": (
        lambda c: c["lesionseg"]["network"]["arguments"].update(w=1),
        r"unexpected keyword argument 'w'\); the checkpoint is of lesionseg .* and this is",
    ),
    "other weights": (
        lambda c: c["lesionseg"]["network"]["arguments"].update(width=8),
        "do not fit its network 'unet'",
    ),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_a_damaged_checkpoint_is_named(fault, changed):
    change, message = FAULTS[fault]
    with pytest.raises(CheckpointError, match=message) as caught:
        load_predictor(changed(change))
    assert "changed.ckpt" in str(caught.value)


def test_arguments_and_weights_that_do_not_fit_a_class_are_named(changed):
    path = changed(lambda c: c["hyper_parameters"].update(threshold=7.0))
    with pytest.raises(CheckpointError, match=r"arguments in .*changed\.ckpt do not fit"):
        Segmenter.load_from_checkpoint(path)
    path = changed(lambda c: c["hyper_parameters"].update(network_arguments={"width": 8}))
    with pytest.raises(CheckpointError, match=r"weights in .*changed\.ckpt do not fit Segmenter"):
        Segmenter.load_from_checkpoint(path)
    path = changed(lambda c: c["state_dict"].update(extra=torch.ones(1)))
    with pytest.raises(CheckpointError, match="extra"):
        Segmenter.load_from_checkpoint(path)
    Segmenter.load_from_checkpoint(path, strict=False)


@pytest.mark.parametrize("device", ["gpu", "cuda:99", "meta", ""])
def test_a_device_that_is_not_here_is_named(device, sound):
    with pytest.raises(LesionsegError, match=r"there is no device|cannot be used here") as caught:
        load_predictor(sound, device=device)
    assert repr(device) in str(caught.value)
    assert "\n" not in str(caught.value)
