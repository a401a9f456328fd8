"""The help of fit, validate, test and predict: all options, the needed ones first, no markup."""

import re
from contextlib import redirect_stdout
from io import StringIO

import pytest

from lesionseg.cli import main as cli
from lesionseg.cli import trainer as trainer_cli
from lesionseg.cli.help import classes
from lesionseg.cli.help.chosen import chosen_class
from lesionseg.cli.help.sections import sections_of
from lesionseg.data import AUGMENTATION_NAMES
from lesionseg.losses import loss_names


def help_of(*arguments):
    printed = StringIO()
    with redirect_stdout(printed):
        assert cli.main(list(arguments)) == 0
    return printed.getvalue()


def flags_in(text):
    return re.findall(r"^  (?:-c RECIPE, )?(--[\w.]+)", text, re.MULTILINE)


def test_the_chosen_class_comes_first_and_the_trainer_last():
    text = help_of("fit", "--model", "ASNet", "--data=ISICDataModule", "--help")
    order = [f for f in flags_in(text) if f != "--data"]
    assert order[:2] == ["--model", "--model.adaptive_scale"]
    groups = list(dict.fromkeys(one.split(".")[0] for one in order if "." in one))
    assert groups == ["--model", "--data", "--checkpoint", "--overlays", "--trainer"]
    assert text.count("\ntrainer:\n") == 1
    for wanted in ("--model.learning_rate", "--data.batch_size", "--data.root", "--ckpt_path"):
        assert wanted in order
    assert "--model.optimizer {sgd,adam,adamw}" in text
    assert "--data.split {official,holdout,k-fold}" in text
    assert "--data.train_images" not in text
    assert "(default: 0.01)" in text


def test_a_recipe_chooses_too_and_the_command_line_wins(tmp_path):
    recipe = help_of("fit", "--config", "mobilegan-isic2018", "--help")
    assert "--model.jaccard_weight" in recipe
    assert "--data.root" in recipe
    other = help_of("fit", "-c", "mobilegan-isic2018", "--model", "lesionseg.ASNet", "-h")
    assert "--model.jaccard_weight" not in other
    assert "--model.dilations" in other
    file = tmp_path / "own.yaml"
    file.write_text("model: {class_path: SegAN}\ndata: SyntheticDataModule\n")
    assert chosen_class(["fit", f"--config={file}"], "model") == classes.MODELS["SegAN"]
    assert (
        chosen_class(["fit", f"--config={file}"], "data")
        == classes.DATA_MODULES["SyntheticDataModule"]
    )
    assert chosen_class(["fit", '--model={"class_path": "GANFCN"}'], "model").endswith(".GANFCN")
    assert chosen_class(["fit", "--model", "Nothing", "--config", "none"], "model") is None


def test_a_checkpoint_chooses_by_the_configuration_beside_it(tmp_path):
    (tmp_path / "checkpoints").mkdir()
    (tmp_path / "config.yaml").write_text("model: {class_path: lesionseg.models.segan.SegAN}\n")
    checkpoint = tmp_path / "checkpoints" / "best.ckpt"
    text = help_of("test", f"--ckpt_path={checkpoint}", "--help")
    assert "--model.critic_width" in text
    assert "--report.directory" in text


def test_without_a_choice_what_models_share_is_shown():
    text = help_of("fit", "--help")
    flags = flags_in(text)
    for name in ("learning_rate", "size", "threshold", "schedule", "generator_learning_rate"):
        assert f"--model.{name}" in flags
    for name in ("batch_size", "size", "augmentation", "num_workers", "val_fraction"):
        assert f"--data.{name}" in flags
    assert "--model.critic_width" not in flags  # SegAN's alone
    assert "0.01 in ASNet, 0.001 in GANFCN" in " ".join(text.split())
    assert "{ASNet,GANFCN,MobileGAN,SegAN,Segmenter}" in text
    assert all(name in text for name in trainer_cli.recipe_names())


@pytest.mark.parametrize("command", cli.TRAINER_COMMANDS)
@pytest.mark.parametrize("model", [None, *classes.MODELS])
def test_no_markup_is_left(command, model):
    text = help_of(command, *(["--model", model] if model else []), "--help")
    assert not re.search(r":\w+:`|`|\bSee \w+\b[.,;]|\.\. \w+::", text)


@pytest.mark.parametrize("command", cli.TRAINER_COMMANDS)
def test_no_option_of_the_parser_is_left_out_and_none_made_up(command, monkeypatch):
    parsers = {}

    def grab(self, parser, args):
        parsers.update(self._subcommand_parsers)
        raise SystemExit

    monkeypatch.setattr(trainer_cli.LesionCLI, "parse_arguments", grab)
    with pytest.raises(SystemExit):
        trainer_cli.run([command])
    parser = parsers[command]
    groups = {"trainer", *classes.CALLBACKS[command]}  # each may also be given as a file
    known = {
        flag
        for action in parser._actions
        for flag in action.option_strings
        if flag.startswith("--") and not flag.endswith((".help", "+", "--help"))
    } - {f"--{name}" for name in groups}
    shown = {
        flag
        for section in sections_of(command, classes.MODELS["ASNet"], None)
        for option in section.options
        for flag in option.flags.split(", ")
        if not flag.startswith(("--model.", "--data.")) and flag != "-c"
    }
    if command == "predict":  # short for --output.formats
        known.add("--format")
    assert shown == known
    defaults = parser.get_defaults()
    for name, value in {**classes.TRAINER_DEFAULTS, **classes.COMMAND_DEFAULTS[command]}.items():
        if not isinstance(value, dict):
            assert defaults[name] == value


def test_all_losses_and_augmentations_are_named():
    for model in ("ASNet", "GANFCN", "Segmenter"):
        text = help_of("fit", "--model.help", model)
        assert all(f'"{name}"' in text for name in loss_names())
        assert "--data" not in flags_in(text)
    for data in classes.DATA_MODULES:
        text = help_of("fit", f"--data.help={data}")
        assert all(name in text for name in AUGMENTATION_NAMES)


def test_a_class_that_cannot_be_read_is_pointed_to():
    assert "nowhere.Net can be read only when" in help_of("fit", "--model", "nowhere.Net", "-h")


def test_help_of_a_callback_has_no_roles(monkeypatch):
    printed = StringIO()
    with redirect_stdout(printed), pytest.raises(SystemExit) as stop:
        cli.main(["fit", "--trainer.callbacks.help", "EarlyStopping"])
    assert stop.value.code == 0
    assert "--trainer.callbacks.monitor" in printed.getvalue()
    assert "`" not in printed.getvalue()
