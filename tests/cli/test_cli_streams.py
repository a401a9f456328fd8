"""Standard output that is closed early, or cannot be written."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from lesionseg.cli import main as cli
from lesionseg.cli import streams as cli_streams

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="pipes and /dev/full are POSIX's")
#: With a command that prints and needs nothing.
PROGRAM = (
    sys.executable,
    "-c",
    "import sys; from lesionseg.cli import main, models\n"
    "models.run = lambda options: print('a line') or 0\n"
    "sys.exit(main.main())",
)


#: As for users: argparse swallows errors of unbuffered output.
BUFFERED = {name: value for name, value in os.environ.items() if name != "PYTHONUNBUFFERED"}


def run_without_reader(*arguments, errors=subprocess.PIPE):
    """Run a command whose standard output is a pipe that nobody reads any more."""
    reading, writing = os.pipe()
    os.close(reading)
    try:
        return subprocess.run(
            [*PROGRAM, *arguments], stdout=writing, stderr=errors, text=True, env=BUFFERED
        )
    finally:
        os.close(writing)


@pytest.mark.parametrize(
    "arguments",
    [["--help"], ["--version"], ["models", "--help"], ["fit", "--help"], ["models"]],
)
def test_a_reader_that_has_gone_ends_a_command_in_silence(arguments):
    result = run_without_reader(*arguments)
    assert result.stderr == ""
    assert result.returncode == cli_streams.READER_GONE == 141


def test_a_complaint_that_nobody_reads_ends_as_well():
    assert run_without_reader("fitt", errors=subprocess.STDOUT).returncode in (2, 141)


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="there is no /dev/full")
@pytest.mark.parametrize("arguments", [["models"], ["fit", "--help"]])
def test_output_that_cannot_be_written_is_an_error(arguments):
    with Path("/dev/full").open("w") as full:
        result = subprocess.run(
            [*PROGRAM, *arguments], stdout=full, stderr=-1, text=True, env=BUFFERED
        )
    assert result.returncode == 1
    assert result.stderr.startswith("lesionseg: error: the disk is full")
    assert result.stderr.count("\n") == 1


def test_another_broken_pipe_is_told(monkeypatch, capsys):
    """Such as that of a worker process, while standard output is well."""

    def run(options):
        raise BrokenPipeError(32, "Broken pipe")

    monkeypatch.setattr("lesionseg.cli.models.run", run)
    monkeypatch.setattr(cli_streams, "_is_broken", lambda stream: False)
    assert cli.main(["models"]) == 1
    assert capsys.readouterr().err == "lesionseg: error: Broken pipe\n"
