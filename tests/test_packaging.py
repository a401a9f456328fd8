"""The wheel and the source archive: complete, alike, and usable outside the checkout."""

import email
import os
import re
import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path

import numpy as np
import pytest
from conftest_cli import TINY, run_well
from PIL import Image

import lesionseg
from lesionseg.data import SyntheticLesions
from lesionseg.pretrained import CARD, TRAINED_ON, WEIGHTS
from lesionseg.visualization import to_picture

ROOT = Path(__file__).resolve().parent.parent
pytestmark = pytest.mark.slow
RECIPES = {
    "asnet-isic2018",
    "asnet-lite-isic2018",
    "comparison-isic2018",
    "mobilegan-fast-isic2018",
    "mobilegan-isic2018",
    "quickstart",
}


def python(*arguments, cwd, **environment):
    """Run Python outside of the checkout."""
    return run_well(sys.executable, *arguments, cwd=cwd, **environment)


@pytest.fixture(scope="module")
def built(tmp_path_factory):
    """The folder with wheel and source archive, built from a copy of the tracked files."""
    source = tmp_path_factory.mktemp("source")
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        capture_output=True,
        text=True,
    )
    if listed.returncode:
        pytest.skip("not a git checkout, whose source archive is tested")
    for name in filter(None, listed.stdout.split("\0")):
        if (ROOT / name).is_file():  # not deleted and still tracked
            (source / name).parent.mkdir(parents=True, exist_ok=True)
            (source / name).write_bytes((ROOT / name).read_bytes())
    folder = tmp_path_factory.mktemp("dist")
    # Use the environment's backend if there is one: no download, and faster.
    have = subprocess.run(
        [
            sys.executable,
            "-c",
            "import setuptools as s; assert int(s.__version__.split('.')[0])>=77",
        ],
        capture_output=True,
    )
    isolation = ["--no-isolation"] if have.returncode == 0 else []
    python("-m", "build", *isolation, "--outdir", folder, source, cwd=folder)
    return folder


@pytest.fixture(scope="module")
def wheel(built):
    (path,) = built.glob("*.whl")
    return path


@pytest.fixture(scope="module")
def installed(wheel, tmp_path_factory):
    """A folder in which only the wheel is installed, without what it depends on."""
    target = tmp_path_factory.mktemp("target")
    options = ("--quiet", "--no-deps", "--no-index", "--target", target)
    python("-m", "pip", "install", *options, wheel, cwd=target)
    return target


def test_twine_finds_no_fault(built):
    files = sorted(built.iterdir())
    assert [path.suffix for path in files] == [".whl", ".gz"]
    python("-m", "twine", "check", "--strict", *files, cwd=built)


def test_the_wheel_holds_the_package_with_types_and_recipes_and_nothing_else(wheel):
    names = set(zipfile.ZipFile(wheel).namelist())
    information = f"lesionseg-{lesionseg.__version__}.dist-info"
    assert {name.split("/")[0] for name in names} == {"lesionseg", information}
    assert {"lesionseg/py.typed", "lesionseg/data/id_lists.txt"} <= names
    templates = {str(path.relative_to(ROOT)) for path in (ROOT / "lesionseg").rglob("*.jinja")}
    assert templates <= names
    assert {f"lesionseg/configs/{name}.yaml" for name in RECIPES} <= names
    assert f"{information}/licenses/LICENSE" in names
    for name in lesionseg.list_pretrained():
        files = {f"lesionseg/weights/{name}/{file}" for file in (CARD, TRAINED_ON, WEIGHTS)}
        assert files <= names
    assert wheel.stat().st_size < 30e6
    sources = {str(path.relative_to(ROOT)) for path in (ROOT / "lesionseg").rglob("*.py")}
    assert sources <= names
    tests = re.compile(r"(^|/)(tests?/|test_|conftest)")
    assert not [name for name in names if tests.search(name)]


def test_the_source_archive_holds_what_the_wheel_is_built_from(built):
    (path,) = built.glob("*.tar.gz")
    with tarfile.open(path) as archive:
        names = {name.partition("/")[2] for name in archive.getnames()}
    assert {"LICENSE", "README.md", "pyproject.toml", "lesionseg/py.typed"} <= names
    assert "lesionseg/data/id_lists.txt" in names
    assert {f"lesionseg/configs/{name}.yaml" for name in RECIPES} <= names


def test_one_version_everywhere(wheel):
    name = f"lesionseg-{lesionseg.__version__}.dist-info/METADATA"
    metadata = email.message_from_bytes(zipfile.ZipFile(wheel).read(name))
    changelog = re.search(
        r"^## \[?v?(\d+\.\d+\.\d+[^\]\s]*)", (ROOT / "CHANGELOG.md").read_text(), re.MULTILINE
    )
    citation = re.search(
        r"^version: *['\"]?([^'\"\s]+)", (ROOT / "CITATION.cff").read_text(), re.MULTILINE
    )
    assert changelog, "CHANGELOG.md has no heading like '## [0.1.0]'"
    assert citation, "CITATION.cff has no line like 'version: 0.1.0'"
    versions = {metadata["Version"], lesionseg.__version__, changelog[1], citation[1]}
    assert len(versions) == 1, versions
    assert metadata["License-Expression"] == "Apache-2.0"
    assert metadata["Requires-Python"] == ">=3.10"


def test_the_description_holds_no_link_that_an_index_cannot_follow(wheel):
    name = f"lesionseg-{lesionseg.__version__}.dist-info/METADATA"
    metadata = email.message_from_bytes(zipfile.ZipFile(wheel).read(name))
    text = metadata.get_payload()
    assert metadata["Description-Content-Type"] == "text/markdown"
    assert text.startswith("# lesionseg\n")
    assert "pip install lesionseg" in text
    assert "](docs/" in (ROOT / "README.md").read_text()
    assert re.findall(r"!\[|\]\((?!https?://)", text) == []
    assert "Predictions of `asnet-lite`" not in text  # the caption of a picture that is left out
    assert metadata["Author"] == "lesionseg contributors"
    urls = dict(url.split(", ", 1) for url in metadata.get_all("Project-URL"))
    citation = (ROOT / "CITATION.cff").read_text()
    for url in urls.values():
        assert url.removeprefix("https://doi.org/") in citation


NO_NETWORK = """
import socket

def refuse(*_, **__):
    raise OSError("the network is off")

socket.socket.connect = socket.getaddrinfo = refuse
"""


def test_the_installed_wheel_segments_without_a_network(installed, tmp_path):
    off = tmp_path / "off"
    off.mkdir()
    (off / "sitecustomize.py").write_text(NO_NETWORK)
    where = {"PYTHONPATH": os.pathsep.join([str(installed), str(off)])}
    script = "import socket; socket.create_connection(('127.0.0.1', 9))"
    with pytest.raises(AssertionError, match="the network is off"):
        python("-c", script, cwd=tmp_path, **where)
    sizes = [(101, 37), (33, 257), (640, 481)]
    photos = [SyntheticLesions(len(sizes), size[::-1])[i]["image"] for i, size in enumerate(sizes)]
    for photo, size in zip(photos, sizes, strict=True):
        to_picture(photo).save(tmp_path / f"{size[0]}.png")
    command = [f"{width}.png" for width, _ in sizes]
    python("-m", "lesionseg.cli", "segment", *command, cwd=tmp_path, **where)
    for width, height in sizes:
        with Image.open(tmp_path / "segmented" / f"{width}_segmentation.png") as mask:
            found = np.asarray(mask) > 0
        expected = lesionseg.segment(tmp_path / f"{width}.png").mask
        assert expected.shape == (height, width)
        assert expected.any()
        assert np.array_equal(found, expected)
    assert len((tmp_path / "segmented" / "measures.csv").read_text().splitlines()) == 4


def test_the_installed_wheel_works_outside_the_checkout(installed, tmp_path):
    where = {"PYTHONPATH": str(installed)}
    script = """
import lesionseg
from lesionseg.cli.trainer import recipe_names
print(lesionseg.__file__, *recipe_names(), sep="\\n")
"""
    file, *recipes = python("-c", script, cwd=tmp_path, **where).split("\n")[:-1]
    assert file == str(installed / "lesionseg" / "__init__.py")
    assert set(recipes) >= RECIPES
    printed = python("-m", "lesionseg.cli", "--version", cwd=tmp_path, **where)
    assert printed == f"lesionseg {lesionseg.__version__}\n"

    small = [word.replace("--data.", "--data.init_args.") for word in TINY if "--data=" not in word]
    fit = ["-m", "lesionseg.cli", "fit", "--config=quickstart", "--trainer.max_epochs=1", *small]
    python(*fit, cwd=tmp_path, **where)
    assert (tmp_path / "runs" / "quickstart" / "checkpoints" / "best.ckpt").stat().st_size > 1e6
