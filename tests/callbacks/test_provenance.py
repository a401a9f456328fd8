"""What the record of a test says of the code that ran it."""

import subprocess

import lesionseg
from lesionseg.callbacks.provenance import PACKAGE_FOLDER, source_commit


def test_the_commit_is_that_of_the_whole_package():
    assert str(PACKAGE_FOLDER / "__init__.py") == lesionseg.__file__


def test_a_commit_and_its_changes(tmp_path):
    def git(*arguments):
        identity = ("-c", "user.name=test", "-c", "user.email=test@example.org")
        command = ["git", "-C", str(tmp_path), *identity, *arguments]
        return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()

    assert source_commit(tmp_path) is None
    git("init")
    (tmp_path / "code.py").write_text("1\n")
    assert source_commit(tmp_path) is None  # not committed
    git("add", ".")
    git("commit", "-m", "first")
    commit = git("rev-parse", "HEAD")
    assert source_commit(tmp_path) == commit
    (tmp_path / "code.py").write_text("2\n")
    assert source_commit(tmp_path) == f"{commit}+changes"
