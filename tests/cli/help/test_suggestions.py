"""Which option is suggested for a wrong one."""

import re
import sys

import pytest

from lesionseg.cli import main as cli
from lesionseg.cli import trainer as trainer_cli
from lesionseg.cli.help.mistakes import explained
from lesionseg.cli.help.parser import CommandParser
from lesionseg.cli.help.suggestions import closest_options, refused_option

RECIPE = ["fit", "--config", "asnet-isic2018", "--data.root", "d"]


@pytest.mark.parametrize(
    ("wrong", "meant"),
    [
        ("--model.lr", ["--model.learning_rate"]),
        ("--model.init_args.lr", ["--model.learning_rate"]),
        ("--lr", ["--model.learning_rate"]),
        ("--learning-rate", ["--model.learning_rate"]),
        ("--model.wd", ["--model.weight_decay"]),
        ("--data.batchsize", ["--data.batch_size"]),
        ("--batch-size", ["--data.batch_size"]),
        ("--model.batch_size", ["--data.batch_size"]),
        ("--trainer.max_epoch", ["--trainer.max_epochs"]),
        ("--epochs", ["--trainer.max_epochs", "--trainer.min_epochs"]),
        ("--ckpt-path", ["--ckpt_path"]),
        ("--checkpoint.montor", ["--checkpoint.monitor"]),
        ("--data.zzz", []),
        ("--qwertz", []),
    ],
)
def test_the_option_that_was_meant(wrong, meant):
    known = [
        *("--config", "--ckpt_path", "--model", "--model.learning_rate", "--model.weight_decay"),
        *("--model.loss", "--data.batch_size", "--data.seed", "--checkpoint.monitor"),
        *("--trainer.max_epochs", "--trainer.min_epochs", "--trainer.max_steps"),
    ]
    assert closest_options(wrong, known) == meant


@pytest.mark.parametrize(
    ("message", "option"),
    [
        ("--model: Option 'lr' is not accepted", "--model.lr"),
        ('Key "model.lr" is not expected', "--model.lr"),
        ("unrecognized arguments: --trainer.max_epoch 3", "--trainer.max_epoch"),
        ("unrecognized arguments: x y --batch-size=3", "--batch-size"),
        ("unrecognized arguments: x", None),
        ("--data.size: expected tuple", None),
    ],
)
def test_what_was_refused(message, option):
    assert refused_option(message) == option


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        ([*RECIPE, "--model.lr", "3"], "did you mean --model.learning_rate?"),
        (
            ["fit", "--model=MobileGAN", "--data=SyntheticDataModule", "--model.lr=3"],
            "did you mean --model.generator_learning_rate or --model.discriminator_learning_rate?",
        ),
        ([*RECIPE, "--data.batchsize", "3"], "did you mean --data.batch_size?"),
        ([*RECIPE, "--trainer.max_epoch=3"], "did you mean --trainer.max_epochs?"),
        ([*RECIPE, "--overlays.image=3"], "did you mean --overlays.images?"),
        (
            [*RECIPE, "--trainer.logger.init_args.versoin=3"],
            "did you mean --trainer.logger.version?",
        ),
        (
            [*RECIPE, "--trainer.callbacks+=EarlyStopping", "--trainer.callbacks.monitr=x"],
            "did you mean --trainer.callbacks.monitor?",
        ),
        (
            ["test", "--ckpt_pth", "x", "--data", "SyntheticDataModule"],
            "did you mean --ckpt_path?",
        ),
        ([*RECIPE, "--data.size", "big"], "error: --data.size: expected H,W, got big"),
        ([*RECIPE, "--model.betas", "1"], "Option 'betas' is not accepted"),
        ([*RECIPE, "--zzzzz", "x"], "error: unrecognized arguments: --zzzzz x"),
    ],
)
def test_the_trainers_commands_say_it(arguments, sentence, monkeypatch, capsys):
    monkeypatch.setattr(trainer_cli.LesionCLI, "_set_seed", lambda self: None)
    monkeypatch.setattr(trainer_cli.LesionCLI, "instantiate_classes", lambda self: None)
    monkeypatch.setattr(trainer_cli.LesionCLI, "_run_subcommand", lambda self, subcommand: None)
    monkeypatch.setattr(sys, "argv", ["lesionseg"])
    assert cli.main(arguments) == 1
    errors = [line for line in capsys.readouterr().err.splitlines() if "error: " in line]
    assert len(errors) == 1
    assert errors[0].endswith(sentence)


def test_other_complaints_stay_as_they_are():
    for message in ("there is no --model 'ASNett'", "--model.threshold: expected float, got x"):
        assert explained(message, RECIPE) == message


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        ("segment a.jpg --modle b.ckpt --output o", "--modle; did you mean --model?"),
        ("segment a.jpg --model b.ckpt --outptu=o", "--outptu; did you mean --output?"),
        ("score a b --aggregaton pooled", "--aggregaton; did you mean --aggregation?"),
        ("models --ouput json", "--ouput; did you mean --output?"),
        ("models --zzzz", "unrecognized arguments: --zzzz"),
        ("cross-validate --num_fold 3 --config asnet-isic2018", "did you mean --num-folds?"),
        ("cross-validate --confgi asnet-isic2018", "did you mean --config?"),
        ("reproduce asnet-table2 --epoch 3", "--epoch; did you mean --epochs?"),
    ],
)
def test_the_small_commands_say_it(arguments, sentence, capsys):
    with pytest.raises(SystemExit) as stop:
        cli.main(arguments.split())
    assert stop.value.code == 2
    assert capsys.readouterr().err.rstrip().endswith(sentence)


@pytest.mark.parametrize(
    ("command", "hyphens", "values"),
    [
        ("cross-validate", ["--num-folds", "3"], {"num_folds": 3}),
        ("reproduce asnet-table2", ["--keep-checkpoints"], {"keep_checkpoints": True}),
        ("segment a.jpg", ["--no-overlays", "--on-error=skip"], {"on_error": "skip"}),
        ("segment a.jpg", ["--test-time-augmentation=flips"], {"test_time_augmentation": "flips"}),
        ("score a b", ["--mask-threshold", "7"], {"mask_threshold": 7}),
        ("download isic2018 --root d", ["--keep-archives"], {"keep_archives": True}),
    ],
)
def test_options_have_hyphens_and_accept_underscores(command, hyphens, values, monkeypatch, capsys):
    name, *arguments = command.split()
    got = []
    monkeypatch.setattr(f"{cli.SMALL_COMMANDS[name]}.run", lambda options: got.append(options) or 0)
    underscores = [
        f"--{flag[2:].replace('-', '_')}" if flag[0] == "-" else flag for flag in hyphens
    ]
    for flags in (hyphens, underscores):
        assert cli.main([name, *arguments, *flags]) == 0
    assert got[0] == got[1]
    assert vars(got[0]).items() >= values.items()
    with pytest.raises(SystemExit):
        cli.main([name, "--help"])
    assert not set(re.findall(r"--\w+_\w+", capsys.readouterr().out)) - {"--ckpt_path"}


def test_what_is_passed_on_keeps_its_spelling():
    parser = CommandParser(prog="lesionseg")
    parser.add_argument("--num-folds", type=int)
    given = ["--num_folds=2", "--print_config", "--data.batch_size", "4", "--", "--num_folds"]
    options, rest = parser.parse_known_args(given)
    assert options.num_folds == 2
    assert rest[:3] == ["--print_config", "--data.batch_size", "4"]
    assert rest[-1] == "--num_folds"


def test_cross_validate_passes_on_what_fit_knows(monkeypatch):
    from lesionseg.cli import cross_validate

    passed = []
    monkeypatch.setattr(cross_validate, "run", lambda options: passed.extend(options.rest) or 0)
    rest = (
        "--config asnet-isic2018 --data.root d --seed_everything 3 --trainer t.yaml --model=ASNet"
    )
    assert cli.main(["cross-validate", "--jobs", "1", *rest.split()]) == 0
    assert passed == rest.split()
