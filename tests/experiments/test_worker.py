import signal
import subprocess
import sys
import time


def test_the_real_job_ends_with_its_parent():
    """Also when the parent is killed: its end of the pipe closes."""
    script = "import sys, time; from lesionseg.experiments import worker; "
    script += "worker._end_with_parent(); "
    script += "print('up', flush=True); time.sleep(60)"
    with subprocess.Popen(
        [sys.executable, "-c", script], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as child:
        assert child.stdout.readline() == b"up\n"
        child.stdin.close()
        until = time.monotonic() + 20
        while child.poll() is None and time.monotonic() < until:
            time.sleep(0.05)
        ended = child.poll()
        child.send_signal(signal.SIGKILL)
    assert ended == 1
