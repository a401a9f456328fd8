"""Mistakes that a worker of a DataLoader finds are told as those of the main process."""

import os
import signal
import sys

import pytest
from torch.utils.data import Dataset

from lesionseg.data.datamodules.loader import LateLoader
from lesionseg.data.datamodules.worker_errors import original_error
from lesionseg.errors import DatasetNotFoundError, InvalidDataError, LesionsegError


class Failing(Dataset):
    """Raises an error at its third item, caused by another one."""

    def __init__(self, error):
        self.error = error

    def __len__(self):
        return 4

    def __getitem__(self, index):
        if index < 2:
            return index
        if self.error == "killed":
            os.kill(os.getpid(), signal.SIGKILL)
        try:
            raise ValueError("the cause")
        except ValueError as cause:
            raise self.error from cause


def raised(error, workers):
    """What iterating over the batches raises."""
    loader = LateLoader(Failing(error), batch_size=2, num_workers=workers)
    with pytest.raises(type(error) if isinstance(error, Exception) else Exception) as found:
        list(loader)
    return found.value


ERRORS = [
    InvalidDataError("The image a.jpg is broken; copy it again."),
    InvalidDataError("two\nlines: ValueError: of one"),
    DatasetNotFoundError("There is no folder data."),
    LesionsegError("in a sentence"),
    ValueError("out of range"),
    OSError(13, "Permission denied", "a.jpg"),
    OSError(28, "No space left on device"),
]


@pytest.mark.parametrize("error", ERRORS, ids=lambda error: str(error)[:20])
def test_the_message_is_the_original_one(error):
    found = raised(error, 1)
    assert type(found) is type(error)
    assert str(found) == str(error) == str(raised(error, 0))
    assert getattr(found, "filename", None) == getattr(error, "filename", None)
    assert "Traceback" in str(found.__cause__)  # LESIONSEG_DEBUG shows it


def test_a_fault_of_the_program_keeps_its_traceback():
    assert "in __getitem__" in str(raised(TypeError("a fault"), 1))


@pytest.mark.slow
@pytest.mark.skipif(sys.platform == "win32", reason="no kill -9 on this system")
def test_a_killed_worker_is_told_in_a_sentence():
    found = raised("killed", 1)
    assert isinstance(found, LesionsegError)
    assert "a worker that reads images was killed" in str(found)
    assert "--data.num_workers" in str(found)


def test_errors_of_this_process_are_left_alone():
    for text in ("ValueError: one", "Traceback (most recent call last):\nValueError: one"):
        assert original_error(ValueError(text)) is None
