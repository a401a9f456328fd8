"""The page of examples/phone on a server, and what a user does with it."""

import importlib.util
import re
from pathlib import Path

import numpy as np
from conftest_browser import address
from PIL import Image

from lesionseg.data import SyntheticLesions

EXAMPLE = Path(__file__).resolve().parent.parent / "examples" / "phone"
PATIENCE = 120_000  # milliseconds, on a busy machine


def load_builder():
    """The module of the example's ``build.py``."""
    spec = importlib.util.spec_from_file_location("build_phone", EXAMPLE / "build.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def wait(page, text, kind=""):
    from playwright.sync_api import expect

    status = page.locator("#status")
    expect(status).to_contain_text(re.compile(text), timeout=PATIENCE)
    assert status.get_attribute("class") in (kind, None if kind == "" else kind)
    return status.inner_text()


def opened(context, server):
    page = context.new_page()
    page.goto(address(server))
    wait(page, "Ready")
    return page


def choose(page, path, button="#file"):
    """Tap a button, choose a file, and return what the page says of it."""
    press = page.tap if page.evaluate("navigator.maxTouchPoints") else page.click
    with page.expect_file_chooser() as chooser:
        press(button)
    chooser.value.set_files(path)
    return wait(page, r"\bms\b")


def saved_mask(page, folder):
    with page.expect_download() as download:
        page.tap("#save")
    path = folder / download.value.suggested_filename
    download.value.save_as(path)
    return path


def photo(path, size=(300, 200)):
    image, _ = drawn(1, (size[1], size[0]))[0]
    image.save(path, quality=95)
    return path


def drawn(count, size):
    data = SyntheticLesions(count, size=size, with_truth=True)
    return [
        (
            Image.fromarray((sample["image"] * 255).round().byte().permute(1, 2, 0).numpy()),
            sample["truth"].numpy() > 128,
        )
        for sample in data
    ]


def jaccard(first, second):
    union = np.count_nonzero(first | second)
    return np.count_nonzero(first & second) / union if union else 1.0


def read_mask(path):
    with Image.open(path) as mask:
        assert mask.mode == "L"
        return np.asarray(mask) > 128
