"""The page of ``lesionseg app`` in a real Chromium."""

import contextlib
import io
import re
import socket
import zipfile
from urllib.parse import urlsplit

import numpy as np
import pytest
from conftest_browser import chromium
from PIL import Image

from lesionseg import FolderDataModule
from lesionseg.data import SyntheticLesions
from lesionseg.errors import LesionsegError

PATIENCE = 60_000  # milliseconds, on a busy machine

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def app(tmp_path_factory):
    """The address of the page, and its folder of pairs."""
    pytest.importorskip("gradio", reason='pip install "lesionseg[app]"')
    from lesionseg.app.page import build_app, launch

    folder = tmp_path_factory.mktemp("pairs")
    page = build_app(["mobilegan"], folder)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    _, address, public = launch(page, "127.0.0.1", port, prevent_thread_lock=True)
    assert public is None
    yield address, folder
    page.close()


@pytest.fixture(scope="module")
def browser():
    with chromium() as (_, browser):
        yield browser


@pytest.fixture(scope="module")
def photo(tmp_path_factory):
    sample = SyntheticLesions(1, size=(150, 200))[0]
    path = tmp_path_factory.mktemp("photo") / "mole.png"
    pixels = (sample["image"] * 255).round().byte().permute(1, 2, 0).numpy()
    Image.fromarray(pixels).save(path)
    return path


@contextlib.contextmanager
def opened(browser, address):
    context = browser.new_context(viewport={"width": 1280, "height": 1000})
    page = context.new_page()
    page.set_default_timeout(PATIENCE)
    page.requests = []
    page.on("request", lambda request: page.requests.append(request.url))
    page.goto(address)
    yield page
    context.close()


def choose(page, path):
    page.locator("#photo input[type=file]").set_input_files(path)
    page.wait_for_selector("#measures table")
    page.wait_for_selector("#outline img")


def area(page):
    return int(re.search(r"\barea\s+(\d+)", page.locator("#measures").inner_text())[1])


def wait_for_other_area(page, before):
    for _ in range(PATIENCE // 200):
        with contextlib.suppress(TypeError):  # while the table is replaced
            if (found := area(page)) != before:
                return found
        page.wait_for_timeout(200)
    raise AssertionError("the threshold changed nothing")


def downloaded(page, element):
    with page.expect_download() as download:
        page.locator(f"{element} a[download]").first.click()
    return download.value.path().read_bytes()


def test_upload_threshold_download_correct_and_save(app, browser, photo):
    from playwright.sync_api import expect

    address, folder = app
    with opened(browser, address) as page, opened(browser, address) as other:
        choose(page, photo)
        assert page.get_by_role("button", name="Download").count()
        assert not page.get_by_role("button", name="Share").count()
        before = area(page)
        assert before > 0
        number = page.locator("#threshold input[type=number]")
        number.fill("0.99")
        number.press("Tab")
        after = wait_for_other_area(page, before)
        assert after < before

        page.locator("#prepare").click()
        with zipfile.ZipFile(io.BytesIO(downloaded(page, "#results"))) as archive:
            mask = np.asarray(Image.open(io.BytesIO(archive.read("mole_segmentation.png"))))
        assert mask.shape == (150, 200)
        assert np.count_nonzero(mask) == after

        assert other.locator("#measures table").count() == 0  # a second user has a page of its own

        page.get_by_role("tab", name="Correct").click()
        page.locator("#again").click()
        canvas = page.locator("#editor canvas").first
        page.wait_for_timeout(3000)
        box = canvas.bounding_box()
        x, y = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
        page.mouse.move(x - 5, y)
        page.mouse.down()
        page.mouse.move(x + 5, y, steps=4)
        page.mouse.up()
        page.wait_for_timeout(1000)
        page.locator("#keep").click()
        expect(page.locator("#saved")).to_contain_text("Saved mole.png")
        saved = np.asarray(Image.open(folder / "masks" / "mole.png")) > 128
        changed = np.argwhere(saved != (mask > 128))
        assert saved[75, 100]  # the center, which was painted red
        if len(changed):
            assert np.abs(changed - (75, 100)).max() < 40
        data = FolderDataModule(folder, size=(150, 200), val_fraction=0.5)
        (sample,) = data._source("train")
        assert sample["mask"].sum() == saved.sum()

        hosts = {urlsplit(url).hostname for url in page.requests if url.startswith("http")}
        assert hosts == {"127.0.0.1"}


def test_bad_input_is_a_sentence_and_nothing_is_lost(app, browser, photo, tmp_path):
    from playwright.sync_api import expect

    with opened(browser, app[0]) as page:
        choose(page, photo)
        found = area(page)
        text = tmp_path / "notes.txt"
        text.write_text("no model, no image")
        page.locator("#other-model").locator("xpath=..").locator(
            "input[type=file]"
        ).set_input_files(text)
        expect(page.get_by_text("neither a checkpoint").first).to_be_visible()
        page.get_by_role("tab", name="Batch").click()
        page.locator("#many input[type=file]").set_input_files([photo, text])
        page.locator("#go").click()
        expect(page.locator("#report")).to_contain_text("1 of 2 photographs segmented")
        expect(page.locator("#report")).to_contain_text("notes.txt")
        with zipfile.ZipFile(io.BytesIO(downloaded(page, "#archive"))) as archive:
            assert "measures.csv" in archive.namelist()
        page.get_by_role("tab", name="Photograph", exact=True).click()
        assert area(page) == found


def test_a_port_in_use_is_a_sentence(app):
    from lesionseg.app.page import build_app, launch

    port = urlsplit(app[0]).port
    with pytest.raises(LesionsegError, match=f"port {port} is in use; choose another with --port"):
        launch(build_app(), "127.0.0.1", port, prevent_thread_lock=True)
