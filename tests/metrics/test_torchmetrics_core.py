"""The metrics import torchmetrics' base class without torchmetrics' other metrics."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]


def python(code, *paths):
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(map(str, (*paths, ROOT)))}
    done = subprocess.run(
        [sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.slow
def test_a_score_imports_no_extras_and_torchmetrics_stays_whole():
    python(
        "import sys\n"
        "from lesionseg.metrics import ISICScore\n"
        "heavy = {'torchvision', 'scipy', 'pandas', 'lightning', 'kornia', 'torch._dynamo',\n"
        "         'torchmetrics.functional'}\n"
        "assert not heavy & sys.modules.keys(), heavy & sys.modules.keys()\n"
        "import torchmetrics\n"
        "assert issubclass(ISICScore, torchmetrics.Metric)\n"
        "assert torchmetrics.metric.Metric is torchmetrics.Metric\n"
        "assert len(torchmetrics.MetricCollection([ISICScore()])) == 1\n"
    )


def write_package(folder, main, utilities="from torchmetrics import _logger\ndim_zero_cat = 1\n"):
    """Write a package that stands in for torchmetrics."""
    package = folder / "torchmetrics"
    (package / "utilities").mkdir(parents=True)
    (package / "__init__.py").write_text(main)
    (package / "utilities" / "__init__.py").write_text(utilities)
    (package / "metric.py").write_text("class Metric: pass\n")
    return folder


WHOLE = "print('ran')\nfrom torchmetrics.metric import Metric\n__all__ = ['Metric']\nextra = 2\n"


def test_the_package_runs_once_and_when_it_is_needed(tmp_path):
    folder = write_package(tmp_path, WHOLE)
    printed = python(
        "from lesionseg.metrics.torchmetrics_core import Metric\n"
        "import torchmetrics\n"
        "assert not hasattr(torchmetrics, '__wrapped__')\n"  # what inspect asks everything for
        "print('not yet')\n"
        "assert 'extra' in dir(torchmetrics)\n"
        "assert torchmetrics.extra == 2\n"
        "assert torchmetrics.Metric is Metric\n",
        folder,
    )
    assert printed == "not yet\nran\n"


def test_a_package_that_was_imported_before_is_left_alone(tmp_path):
    folder = write_package(tmp_path, WHOLE + "import logging\n_logger = logging.getLogger('x')\n")
    printed = python(
        "import sys, torchmetrics\n"
        "from lesionseg.metrics.torchmetrics_core import Metric\n"
        "assert sys.modules['torchmetrics'] is torchmetrics\n"
        "assert torchmetrics.Metric is Metric\n"
        "assert torchmetrics._logger.name == 'x'\n",
        folder,
    )
    assert printed == "ran\n"


def test_a_version_whose_parts_need_the_whole_is_imported_whole(tmp_path):
    folder = write_package(
        tmp_path,
        "new = 3\nfrom torchmetrics.metric import Metric\nfrom torchmetrics import utilities\n",
        "from torchmetrics.state import whole\n"
        "if not whole:\n"
        "    raise ImportError('circular')\n"
        "dim_zero_cat = 1\n",
    )
    (folder / "torchmetrics" / "state.py").write_text(
        "import torchmetrics\nwhole = 'new' in vars(torchmetrics)\n"
    )
    python(
        "from lesionseg.metrics.torchmetrics_core import Metric, dim_zero_cat\n"
        "import torchmetrics\n"
        "assert torchmetrics.new == 3 and torchmetrics.Metric is Metric\n",
        folder,
    )
