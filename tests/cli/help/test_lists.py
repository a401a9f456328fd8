"""Lists as people write them reach the classes as lists."""

import pytest
import yaml

from lesionseg.cli import main as cli
from lesionseg.cli.help.lists import with_lists


@pytest.mark.parametrize(
    ("given", "written"),
    [
        ("--data.size=32", "--data.size=[32,32]"),
        ("--data.size=32,48", "--data.size=[32,48]"),
        ("--data.size=32x48", "--data.size=[32,48]"),
        ("--data.size=(32, 48)", "--data.size=[32,48]"),
        ("--data.size=[32,48]", "--data.size=[32,48]"),
        ("--data.init_args.size=32", "--data.init_args.size=[32,32]"),
        ("--data.size=null", "--data.size=null"),
        ("--data.size=big", "--data.size=big"),
        ("--model.size=64", "--model.size=[64,64]"),
        ("--model.dilations=1,1,1", "--model.dilations=[1,1,1]"),
        ("--model.dilations=(1,1,1)", "--model.dilations=[1,1,1]"),
        ("--model.dilations=1", "--model.dilations=1"),
        ("--data.augmentation=gamma,clahe", "--data.augmentation=[gamma,clahe]"),
        ("--data.augmentation=gamma", "--data.augmentation=[gamma]"),
        ("--data.augmentation=[]", "--data.augmentation=[]"),
        ("--data.exclude=isic2017-test", "--data.exclude=isic2017-test"),
        ("--data.exclude=my,ids.txt", "--data.exclude=my,ids.txt"),
        ("--data.batch_size=3", "--data.batch_size=3"),
        ("--trainer.devices=1,2", "--trainer.devices=1,2"),
        ("--model.loss=a,b", "--model.loss=a,b"),
    ],
)
def test_lists_are_written_as_yaml(given, written):
    start = ["fit", "--config=asnet-isic2018"]
    assert with_lists([*start, given]) == [*start, written]
    apart = [*start, *given.split("=")]
    assert with_lists(apart) == [*start, *written.split("=")]


def test_a_size_is_known_without_knowing_the_class():
    assert with_lists(["fit", "--data=own.Data", "--data.size", "9"])[-1] == "[9,9]"
    assert with_lists(["fit", "--data.size"]) == ["fit", "--data.size"]


@pytest.mark.parametrize("written", ["32", "32,32", "[32,32]"])
@pytest.mark.parametrize("what", ["data", "model"])
def test_each_way_gives_the_same_configuration(what, written, capsys):
    arguments = ["fit", "--model=ASNet", "--data=SyntheticDataModule", f"--{what}.size", written]
    with pytest.raises(SystemExit) as stop:
        cli.main([*arguments, "--print_config"])
    assert stop.value.code == 0
    assert yaml.safe_load(capsys.readouterr().out)[what]["init_args"]["size"] == [32, 32]
