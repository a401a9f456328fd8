import pytest

from lesionseg.cli.help.docstrings import arguments, first_sentences, plain, summary


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("of :class:`~lightning.pytorch.Trainer`.", "of Trainer."),
        ("see :paramref:`~lightning.pytorch.trainer.trainer.Trainer.callbacks`.", "see callbacks."),
        (
            "see :func:`lesionseg.data.named_ids`, or ``isic2017-test``",
            "see named_ids, or isic2017-test",
        ),
        (":py:meth:`~a.b.log()` logs", "log logs"),
        (":class:`a title <a.b.C>`", "a title"),
        ("`PyTorch's notes <https://docs.pytorch.org>`_", "PyTorch's notes"),
        ("after every `N` epochs", "after every N epochs"),
        ("the :class:`~a.long.\n    path.Name` here", "the Name here"),
        ("smp:<architecture>/<encoder>", "smp:<architecture>/<encoder>"),
        ("16:9 and (a:b)", "16:9 and (a:b)"),
    ],
)
def test_roles_and_marks_become_words(text, words):
    assert plain(text) == words


DOCSTRING = """Draw lesions, or
read them.

Further words.

Args:
    size: height and
        width: in pixels.

        A second paragraph.
    k (int): ``k`` of them. Default: ``None``.
    **rest: skip_all: what is left.

        .. note:: Not shown.

Returns:
    nothing: at all
"""


def test_arguments_are_found_with_their_first_paragraph():
    assert dict(arguments(DOCSTRING)) == {
        "size": "Height and width: in pixels.",
        "k": "``k`` of them.",
        "rest": "skip_all: what is left.",
    }
    assert summary(DOCSTRING) == "Draw lesions, or read them."
    assert dict(arguments("Only a summary.")) == {}


def test_a_text_is_cut_at_a_sentence():
    text = "One sentence, e.g. this. Then (in short.) Another. And a third one."
    assert first_sentences(text, 10) == "One sentence, e.g. this."
    assert first_sentences(text, 50) == "One sentence, e.g. this. Then (in short.) Another."
    assert first_sentences(text, 500) == text
