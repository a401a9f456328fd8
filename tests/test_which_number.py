"""The tables of docs/which-number.md and of calibration follow from the kept counts."""

import importlib.util
import sys
from pathlib import Path

import numpy as np
import pytest

ROOT = Path(__file__).resolve().parent.parent


@pytest.fixture(scope="module")
def tool():
    sys.path.insert(0, str(ROOT / "tools"))
    try:
        path = ROOT / "tools" / "make_score_ways.py"
        spec = importlib.util.spec_from_file_location("make_score_ways", path)
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
    finally:
        sys.path.remove(str(ROOT / "tools"))
    return module


def test_pages_hold_the_tables_that_the_counts_give(tool):
    for path, tables in tool.TABLES.items():
        text = path.read_text(encoding="utf-8")
        for mark, table in tables.items():
            assert tool.replaced(text, mark, table()) == text, (
                f"run tools/make_score_ways.py ({mark})"
            )


def test_ways_by_hand(tool):
    table = np.array([[64, 0, 0, 0], [2, 2, 2, 58]])  # all lesion; 2 of 6 pixels in common
    assert tool.official(table) == pytest.approx((1 + 1 / 3) / 2)
    assert tool.with_background(table) == pytest.approx(((1 + 1) / 2 + (1 / 3 + 58 / 62) / 2) / 2)
    assert tool.pooled_with_background(table) == pytest.approx((66 / 70 + 58 / 62) / 2)


def test_kept_counts_at_half_are_those_of_the_official_scores(tool):
    for name in ("held-out", "isic2018-val"):
        ours = tool.official(tool.kept_thresholds("mobilegan", name)["0.50"])
        published = tool.official(tool.counts("mobilegan-fast-plain-0", name))
        assert ours == pytest.approx(published, abs=2e-3)  # of another device
