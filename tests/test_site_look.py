"""The documentation site in a real Chromium, as on a phone."""

import functools
import http.server
import json
import re
import shutil
import subprocess
import sys
import threading
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
CHROMIUM = next(
    filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None
)
WIDTH = 390
#: What is wrong with the look of a page; an empty list if nothing is.
FAULTS = """async () => {
  const root = document.documentElement, content = document.querySelector(".md-content");
  const faults = [];
  if (root.scrollWidth > innerWidth) faults.push(`${root.scrollWidth} pixels wide`);
  for (const image of document.images) {
    image.loading = "eager";
    await image.decode().catch(() => faults.push(`broken image ${image.src}`));
    if (!image.alt) faults.push(`image without a description: ${image.src}`);
  }
  const prose = content.cloneNode(true);
  prose.querySelectorAll("pre, code, math").forEach((element) => element.remove());
  const raw = prose.textContent.match(/\\$[^$\\n]+\\$|\\\\[a-z(\\[][^\\n]*|:(class|func|meth):`/i);
  if (raw) faults.push(`not rendered: ${raw[0]}`);
  return faults;
}"""


class Handler(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *arguments):
        pass


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """The folder of the built site, with the list of versions that mike writes beside it."""
    root = tmp_path_factory.mktemp("site")
    command = [sys.executable, "-m", "mkdocs", "build", "--strict", "--quiet", "--site-dir"]
    subprocess.run([*command, str(root / "0.1")], cwd=ROOT, check=True, capture_output=True)
    versions = [{"version": "0.1", "title": "0.1", "aliases": ["latest"]}]
    (root / "versions.json").write_text(json.dumps(versions))
    return root


@pytest.fixture(scope="module")
def site(folder):
    """The address of the site."""
    handler = functools.partial(Handler, directory=folder)
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        server.handle_error = lambda *arguments: None  # a browser that hangs up
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_address[1]}/0.1/"
        server.shutdown()
        thread.join()


@pytest.fixture(scope="module")
def phone():
    """A page of Chromium as narrow as a phone."""
    api = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
    if CHROMIUM is None:
        pytest.skip("Chromium is not installed")
    with api.sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--disable-gpu"])
        yield browser.new_page(viewport={"width": WIDTH, "height": 844})
        browser.close()


@pytest.mark.slow
def test_every_page_fits_a_phone_and_the_search_finds_pages(phone, folder, site):
    messages = []
    phone.on("console", lambda message: messages.append(f"{message.type}: {message.text}"))
    phone.on("pageerror", lambda error: messages.append(str(error)))
    found = {}
    pages = sorted((folder / "0.1").rglob("index.html"))
    assert len(pages) > 40
    for path in pages:
        name = path.parent.relative_to(folder / "0.1").as_posix()
        phone.goto(site if name == "." else f"{site}{name}/", wait_until="domcontentloaded")
        if faults := phone.evaluate(FAULTS) + messages:
            found[name] = faults
        messages.clear()
    assert found == {}

    phone.goto(site)
    assert phone.locator(".md-version__current").inner_text() == "0.1"
    phone.locator("label[for=__search]").first.click()
    phone.locator("input[name=query]").press_sequentially("jaccard")
    hits = phone.locator(".md-search-result__link")
    hits.nth(3).wait_for(state="attached")
    addresses = [hits.nth(index).get_attribute("href") for index in range(hits.count())]
    assert any("reference/metrics/" in address for address in addresses)
    phone.locator(".md-search-result__link", has_text="Jaccard").first.click()
    phone.wait_for_url(re.compile(r"/\?h=jaccard"))
    assert messages == []

    phone.evaluate("document.querySelector('.md-content h1').style.width = '900px'")
    assert phone.evaluate(FAULTS) == ["916 pixels wide"]
