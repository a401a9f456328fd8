import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from lightning.pytorch.utilities.exceptions import SIGTERMException
from torch.distributed import DistNetworkError

from lesionseg.cli import main as cli
from lesionseg.cli.distributed import PROCESS_LOST, is_process_lost

CLOSED = "[pair.cc:534] Connection closed by peer [127.0.0.1]:5"


@pytest.mark.parametrize(
    ("error", "lost"),
    [
        (RuntimeError(CLOSED), True),
        (RuntimeError("writev [127.0.0.1]:5: Broken pipe"), True),
        (DistNetworkError("Connection was likely closed"), True),
        (RuntimeError("mat1 and mat2 shapes cannot be multiplied"), False),
        (ValueError(CLOSED), False),
    ],
)
def test_only_a_lost_connection_is_taken_for_one(error, lost):
    assert is_process_lost(error) == lost


@pytest.mark.parametrize(
    ("error", "code", "words"),
    [(RuntimeError(CLOSED), 1, PROCESS_LOST), (SIGTERMException(), 143, "terminated")],
)
def test_the_program_says_it_in_a_sentence(error, code, words, monkeypatch, capsys):
    def fail(arguments):
        raise error

    monkeypatch.setattr(cli, "_dispatch", fail)
    monkeypatch.delenv("LESIONSEG_DEBUG", raising=False)
    assert cli.main(["fit"]) == code
    assert capsys.readouterr().err == f"lesionseg: error: {words}\n"


CHILD = """
import time
from lesionseg.cli import distributed
distributed._GRACE_SECONDS = 0.1
distributed.end_with_launcher()
print("up", flush=True)
time.sleep(60)
"""
LAUNCHER = """
import os, subprocess, sys
from lesionseg.cli import distributed
if len(sys.argv) == 2:  # as Lightning's own launcher; torchrun's processes do not know this one
    distributed.end_with_launcher()
os.environ["LOCAL_RANK"] = "1"
print(subprocess.Popen([sys.executable, "-c", sys.argv[1]]).pid, flush=True)
sys.stdin.read()
"""


@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="finds processes in /proc")
@pytest.mark.parametrize("foreign", [[], ["foreign"]])
def test_a_process_ends_after_the_one_that_started_it_as_its_peer(foreign):
    with subprocess.Popen(
        [sys.executable, "-c", LAUNCHER, CHILD, *foreign],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as launcher:
        child = int(launcher.stdout.readline())
        assert launcher.stdout.readline() == "up\n"
        launcher.kill()
        launcher.wait()
        until = time.monotonic() + (1.5 if foreign else 20)
        ended = False
        while not ended and time.monotonic() < until:
            time.sleep(0.1)
            ended = not alive(child)
        if not ended:
            os.kill(child, signal.SIGKILL)
        said = launcher.stderr.read()
    assert ended == (not foreign)
    assert (PROCESS_LOST in said) == ended


def alive(pid):
    """Whether it runs; one that nobody has waited for does not."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False
