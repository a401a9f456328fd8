"""The documentation site: its build, its look on a phone in a real Chromium, and its versions."""

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from conftest_browser import address, chromium, serve

import lesionseg

ROOT = Path(__file__).resolve().parent.parent
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

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """The folder of the built site, with the list of versions that mike writes beside it."""
    root = tmp_path_factory.mktemp("site")
    result = subprocess.run(
        [sys.executable, "-m", "mkdocs", "build", "--strict", "--site-dir", str(root / "0.1")],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert result.returncode == 0, result.stderr
    versions = [{"version": "0.1", "title": "0.1", "aliases": ["latest"]}]
    (root / "versions.json").write_text(json.dumps(versions))
    return root


def test_the_site_builds_strictly_and_asks_no_other_host(folder):
    built = folder / "0.1"
    pages = list(built.rglob("*.html"))
    assert len(pages) >= len(list((ROOT / "docs").rglob("*.md")))
    loaded = re.compile(r"<(?:script|img|iframe|link)\b[^>]*?\b(?:src|href)=\"(?:https?:)?//[^\"]*")
    for page in pages:
        elsewhere = [
            tag
            for tag in loaded.findall(page.read_text(encoding="utf-8"))
            if 'rel="canonical"' not in tag
        ]
        assert elsewhere == [], page
        assert ":class:`" not in page.read_text(encoding="utf-8"), page
        assert "arithmatex" not in page.read_text(encoding="utf-8"), page
    asnet = (built / "models" / "asnet" / "index.html").read_text(encoding="utf-8")
    assert asnet.count("<math ") == 2
    data = (built / "reference" / "data" / "index.html").read_text(encoding="utf-8")
    lines = re.sub(r"<[^>]+>", "", data).splitlines()
    assert "    root: str | Path," in [line.rstrip() for line in lines]  # not one line
    assert (built / "changelog" / "index.html").read_text().count("<h2") >= 2


@pytest.fixture
def phone():
    """A page of Chromium as narrow as a phone."""
    with chromium("--disable-gpu") as (_, browser):
        yield browser.new_page(viewport={"width": WIDTH, "height": 844})


@pytest.fixture
def site(folder):
    """The address of the site."""
    with serve(folder) as server:
        yield f"{address(server)}0.1/"


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


def test_a_version_of_the_site_is_deployed_beside_others(tmp_path):
    pytest.importorskip("mike")
    left_out = shutil.ignore_patterns(".*", "runs", "build", "dist", "site", "__pycache__")
    project = tmp_path / "project"
    shutil.copytree(ROOT, project, ignore=left_out)

    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"  # mike calls mkdocs

    def run(*command):
        environment = {**os.environ, "PATH": path}
        return subprocess.run(
            command, cwd=project, env=environment, capture_output=True, text=True, check=True
        ).stdout

    def mike(*arguments):
        run(sys.executable, "-c", "from mike.driver import main; main()", *arguments)

    run("git", "init", "--quiet")
    run("git", "config", "user.name", "a")
    run("git", "config", "user.email", "a@localhost")
    run("git", "commit", "--quiet", "--allow-empty", "--message=first")
    mike("deploy", lesionseg.__version__, "latest", "--update-aliases")
    mike("set-default", "latest")
    (version,) = json.loads(run("git", "show", "gh-pages:versions.json"))
    assert (version["version"], version["aliases"]) == (lesionseg.__version__, ["latest"])
    assert "latest/" in run("git", "show", "gh-pages:index.html")
    deployed = run("git", "show", f"gh-pages:{lesionseg.__version__}/index.html")
    assert '"provider": "mike"' in deployed  # the page offers the choice
