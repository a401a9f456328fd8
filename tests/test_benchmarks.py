"""Every benchmark runs; what it measures fails no test."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

BENCHMARKS = Path(__file__).resolve().parent.parent / "benchmarks"
SHARED = {"measure", "photographs"}
SCRIPTS = sorted({path.stem for path in BENCHMARKS.glob("*.py")} - SHARED)

pytestmark = pytest.mark.slow


@pytest.mark.skipif(sys.platform != "linux", reason="memory is measured on Linux")
@pytest.mark.parametrize("script", SCRIPTS)
def test_a_small_run_prints_its_table(script, tmp_path):
    command = [sys.executable, str(BENCHMARKS / f"{script}.py"), "--small", "--rounds", "1"]
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "TMPDIR": str(tmp_path)}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
    assert "-----" in done.stdout
    assert "processor" in done.stdout
