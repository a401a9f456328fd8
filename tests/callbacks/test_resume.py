"""Which folder a fit goes on in, and that it is a fit of the same things."""

import pytest
import yaml
from lightning.pytorch.loggers import TensorBoardLogger

from lesionseg.callbacks.csv_logger import RunLogger
from lesionseg.callbacks.resume import refuse_replacing, reopen
from lesionseg.errors import LesionsegError

CONFIG = {
    "seed_everything": 0,
    "trainer": {"max_epochs": 3},
    "model": {"class_path": "lesionseg.models.ASNet", "init_args": {"size": [64, 64]}},
    "data": {
        "class_path": "lesionseg.data.ISICDataModule",
        "init_args": {"root": "isic", "fold": 0, "num_workers": 0},
    },
}


def changed(section, **init_args):
    return CONFIG | {section: CONFIG[section] | {"init_args": init_args}}


def write_fit(folder, config=CONFIG, checkpoint=True):
    (folder / "checkpoints").mkdir(parents=True)
    (folder / "config.yaml").write_text(yaml.safe_dump(config))
    if checkpoint:
        (folder / "checkpoints" / "last.ckpt").touch()


@pytest.mark.parametrize("kind", [RunLogger, TensorBoardLogger])
def test_it_is_the_last_fit(tmp_path, kind):
    def version(**arguments):
        logger = kind(str(tmp_path), name="", **arguments)
        reopen(logger, CONFIG)
        return logger.version

    with pytest.raises(LesionsegError, match="nothing to resume"):
        version()
    for number in (2, 10):
        write_fit(tmp_path / f"version_{number}")
    (tmp_path / "version_11").mkdir()
    write_fit(tmp_path / "version_12", checkpoint=False)  # of a fit that never trained
    write_fit(tmp_path / "version_13", CONFIG | {"seed_everything": 7})  # another fit
    assert version() == 10
    with pytest.raises(LesionsegError, match=r"nothing to resume in .*mine"):
        version(version="mine")
    write_fit(tmp_path / "mine")
    assert version(version="mine") == "mine"


@pytest.mark.parametrize(
    ("config", "words"),
    [
        (changed("data", root="isic", fold=1), r"data\.init_args\.fold was 0 and is 1"),
        (changed("model", size=[32, 64]), r"size was \[64, 64\] and is \[32, 64\]"),
        (CONFIG | {"model": {"class_path": "lesionseg.models.MobileGAN"}}, "MobileGAN"),
        (CONFIG | {"seed_everything": 7}, "seed_everything was 0 and is 7"),
    ],
)
def test_another_fit_is_refused(tmp_path, config, words):
    write_fit(tmp_path / "version_0")
    with pytest.raises(LesionsegError, match=f"version_0 is another fit: .*{words}"):
        reopen(RunLogger(tmp_path, name=""), config)


def test_what_makes_no_other_fit_may_change(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    write_fit(tmp_path / "version_0")
    data = {"root": str(tmp_path / "isic"), "fold": 0, "num_workers": 4, "new": 1}
    config = changed("data", **data) | {"trainer": {"max_epochs": 9}}
    config["model"] = CONFIG["model"] | {"class_path": "ASNet"}
    reopen(RunLogger(tmp_path, name=""), config)


def test_checkpoints_of_another_fit_are_not_replaced(tmp_path):
    write_fit(tmp_path)
    for checkpoint in (None, str(tmp_path / "other" / "checkpoints" / "last.ckpt")):
        with pytest.raises(LesionsegError, match="has the checkpoints of an earlier fit"):
            refuse_replacing(tmp_path, checkpoint)
    refuse_replacing(tmp_path, "last")
    refuse_replacing(tmp_path, str(tmp_path / "checkpoints" / "last.ckpt"))
    (tmp_path / "checkpoints" / "last.ckpt").unlink()
    refuse_replacing(tmp_path, None)


@pytest.mark.parametrize("content", ["", "- a list\n", "{a: [", "\x00", "just text"])
def test_a_damaged_configuration_is_named(tmp_path, content):
    write_fit(tmp_path / "version_0")
    (tmp_path / "version_0" / "config.yaml").write_text(content)
    with pytest.raises(LesionsegError, match=r"config\.yaml is empty or damaged"):
        reopen(RunLogger(str(tmp_path), name=""), CONFIG)
