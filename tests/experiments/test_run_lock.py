import json
import subprocess
import sys

import pytest

from lesionseg.errors import LesionsegError
from lesionseg.experiments.run_lock import locked_folder

HOLD = """
import sys, time
from pathlib import Path
from lesionseg.experiments.run_lock import locked_folder
with locked_folder(Path(sys.argv[1]), {"a": 1}, "note.json"):
    print("held", flush=True)
    time.sleep(60)
"""


def test_the_same_settings_may_come_again_and_others_not(tmp_path):
    folder = tmp_path / "deep" / "folder"
    for _ in range(2):
        with locked_folder(folder, {"a": 1, "b": ["x", None]}, "note.json"):
            (folder / "fold_0").mkdir(exist_ok=True)
            (folder / "fold_0" / "scores.csv").touch()
    with (
        pytest.raises(LesionsegError, match=r"other settings \(b differ"),
        locked_folder(folder, {"a": 1, "b": []}, "note.json"),
    ):
        pytest.fail("it was let in")


def test_a_mistake_may_be_corrected_before_there_are_results(tmp_path):
    for settings in ({"fit": ["--rooot"]}, {"fit": ["--root"]}):
        with locked_folder(tmp_path, settings, "note.json"):
            assert json.loads((tmp_path / "note.json").read_text()) == settings
    (tmp_path / "last.ckpt").touch()
    with (
        pytest.raises(LesionsegError, match="fit differ"),
        locked_folder(tmp_path, {}, "note.json"),
    ):
        pytest.fail("it was let in")


def test_a_broken_note_is_not_guessed_at(tmp_path):
    (tmp_path / "note.json").write_text("{")
    with (
        pytest.raises(LesionsegError, match="cannot be read"),
        locked_folder(tmp_path, {}, "note.json"),
    ):
        pytest.fail("it was let in")


def test_one_process_at_a_time_until_it_is_killed(tmp_path):
    with subprocess.Popen(
        [sys.executable, "-c", HOLD, tmp_path], stdout=subprocess.PIPE, text=True
    ) as holder:
        assert holder.stdout.readline() == "held\n"
        with (
            pytest.raises(LesionsegError, match="another process is running"),
            locked_folder(tmp_path, {"a": 1}, "note.json"),
        ):
            pytest.fail("it was let in")
        holder.kill()
    with locked_folder(tmp_path, {"a": 1}, "note.json"):
        pass
