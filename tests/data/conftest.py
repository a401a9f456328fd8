from collections.abc import Callable
from pathlib import Path

import pytest
from conftest_isic import write_isic, write_pair


@pytest.fixture
def isic(tmp_path: Path) -> Callable[..., list[str]]:
    """Writes a split of a tiny ISIC tree under ``tmp_path`` and returns its ids."""
    return lambda *args, **kwargs: write_isic(tmp_path, *args, **kwargs)


@pytest.fixture
def pair_writer() -> Callable[..., None]:
    return write_pair
