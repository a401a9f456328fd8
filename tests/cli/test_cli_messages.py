import pytest

from lesionseg.cli.messages import one_sentence

CHOICES = {"model": ["ASNet", "MobileGAN"], "data": ["ISICDataModule"]}


@pytest.mark.parametrize(
    ("message", "sentence"),
    [
        (
            'Parser key "model":\n  - Expected a path but ASNett either not accessible or invalid\n'
            "  - Does not validate against any of the Union subtypes\n  Errors:\n"
            "    - Expected a dot import path string: ASNett\n    - Expected a <class 'NoneType'>",
            "there is no --model 'ASNett'; did you mean ASNet? Choose from ASNet, MobileGAN.",
        ),
        (
            'Parser key "model":\n  Errors:\n'
            "    - --learning_rate: Expected a <class 'float'>. Got value: abc\n"
            "  Given value: NestedArg(key='learning_rate', val='abc')",
            "--model.learning_rate: expected float, got abc",
        ),
        (
            'Parser key "data":\n  Errors:\n    - Parser key "year":\n'
            "        Expected a typing.Literal[2016, 2017]. Got value: 2015",
            "--data.year: expected one of 2016, 2017, got 2015",
        ),
        (
            "the following arguments are required: fit.data",
            "the following arguments are required: --data",
        ),
        ("something else", "something else"),
    ],
)
def test_long_reports_become_one_sentence(message, sentence):
    assert one_sentence(message, CHOICES) == sentence
