import os
from pathlib import Path

import pytest

# Before torch is imported: small tensors gain nothing from threads, and the threads of parallel
# test processes hinder each other badly.
os.environ.setdefault("OMP_NUM_THREADS", "1")

ROOT = Path(__file__).resolve().parent.parent
SHARED = ROOT.parent / "shared"


@pytest.fixture(autouse=True)
def _environment_is_restored():
    """A distributed Trainer leaves its address and rank in the environment of what comes after."""
    before = dict(os.environ)
    yield
    os.environ.clear()
    os.environ.update(before)


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """Folder of real ISIC images beside the checkout; tests that need it are skipped without it."""
    folder = SHARED / "data"
    if not folder.is_dir():
        pytest.skip(f"real data not found at {folder}")
    return folder


@pytest.fixture(scope="session")
def oracles() -> Path | None:
    """Folder of golden vectors beside the checkout, None where it is absent."""
    folder = SHARED / "oracles"
    return folder if folder.is_dir() else None
