"""The documentation shows what the program does."""

import ast
import contextlib
import importlib.util
import io
import json
import re
import shlex
import sys
from importlib import import_module
from itertools import zip_longest
from pathlib import Path
from types import ModuleType

import pytest
import yaml
from PIL import Image, ImageChops, ImageStat
from test_public_names import ROOMS, SHARED

import lesionseg
from lesionseg.cli import main as cli
from lesionseg.cli import trainer as trainer_cli
from lesionseg.cli import trainer_arguments

ROOT = Path(__file__).resolve().parent.parent
DOCS = ROOT / "docs"
PAGES = sorted(DOCS.rglob("*.md"))
FENCE = re.compile(r"^```(\w*)\n(.*?)^```$", re.DOTALL | re.MULTILINE)
TRAINED = {"mobilegan": "lesionseg.models.mobilegan.MobileGAN"}  # others are of ASNet


def name_of(page):
    return str(page.relative_to(ROOT))


def blocks_of(page, language):
    """The page's code blocks in a language, each with the text block right behind it or None."""
    fences = list(FENCE.finditer(page.read_text(encoding="utf-8")))
    for fence, following in zip_longest(fences, fences[1:]):
        if fence[1] == language:
            gap = following and following.string[fence.end() : following.start()].strip()
            shown = following and following[1] == "text" and gap == ""
            yield fence[2], following[2] if shown else None


def commands_of(page, program):
    """The lines of the page's bash blocks that call a program, without its name."""
    for block, _ in blocks_of(page, "bash"):
        for line in block.replace("\\\n", " ").splitlines():
            words = shlex.split(line, comments=True)
            if words[:1] == [program]:
                yield words[1:]


def pages_with_readme():
    readme = ROOT / "README.md"
    return [*PAGES, *([readme] if readme.exists() else [])]


@pytest.fixture
def dry(monkeypatch):
    """Let the program parse its command line and do nothing more."""

    def read_checkpoint(path):
        known = [TRAINED[name] for name in TRAINED if name in str(path)]
        class_path = known[0] if known else "lesionseg.models.asnet.ASNet"
        return {"hyper_parameters": {"_class_path": class_path}}

    locate = trainer_arguments.locate_pretrained

    def locate_offline(source):
        return locate("asnet-lite" if source == "owner/name" else source)

    monkeypatch.setattr(trainer_arguments, "read_checkpoint", read_checkpoint)
    monkeypatch.setattr(trainer_arguments, "locate_pretrained", locate_offline)
    monkeypatch.setattr(trainer_cli.LesionCLI, "_set_seed", lambda self: None)
    monkeypatch.setattr(trainer_cli.LesionCLI, "instantiate_classes", lambda self: None)
    monkeypatch.setattr(trainer_cli.LesionCLI, "_run_subcommand", lambda self, subcommand: None)
    monkeypatch.setattr(sys, "argv", ["lesionseg"])
    for module in cli.SMALL_COMMANDS.values():
        monkeypatch.setattr(import_module(module), "run", lambda options: 0)


def complaint_about(arguments):
    """Return the program's complaint about a command line; None if it accepts it."""
    said = io.StringIO()
    with contextlib.redirect_stderr(said), contextlib.redirect_stdout(io.StringIO()):
        try:
            code = cli.main(arguments)
        except SystemExit as stop:
            code = stop.code
    return said.getvalue() or str(code) if code else None


@pytest.mark.parametrize("page", pages_with_readme(), ids=name_of)
def test_every_command_shown_is_understood(page, dry):
    complaints = {
        shlex.join(arguments): complaint
        for arguments in commands_of(page, "lesionseg")
        if (complaint := complaint_about(arguments))
    }
    assert complaints == {}


@pytest.mark.parametrize(
    ("wrong", "word"),
    [
        ("fit --config asnet-isic2081 --data.root DIR", "asnet-isic2081"),
        ("fit --config asnet-isic2018 --data.root DIR --trainer.epochs 3", "trainer.epochs"),
        ("fit --config asnet-isic2018 --data.root DIR --model.samples 3", "samples"),
        ("test --ckpt_path x.ckpt --data ISICDataModule --data.rot DIR", "rot"),
        ("predict --ckpt_path x.ckpt --data SyntheticDataModule --output.folder x", "folder"),
        ("segment photo.jpg --model best.ckpt --outptu masks", "output"),
        ("test --ckpt_path x.ckpt --data ISICDataModule --test_time_augmentation flop", "flips"),
        ("segment photo.jpg --model a.ckpt --output o --test-time-augmentation flop", "flips"),
        ("scores a b", "score"),
    ],
)
def test_a_wrong_command_would_be_found(wrong, word, dry):
    assert word in complaint_about(wrong.split())


def test_the_pages_show_every_command_and_recipe():
    shown = [words for page in PAGES for words in commands_of(page, "lesionseg")]
    commands = {*cli.TRAINER_COMMANDS, *cli.SMALL_COMMANDS} - {"validate"}  # fit's own step
    assert commands <= {words[0] for words in shown}
    assert set(trainer_cli.recipe_names()) <= {word for words in shown for word in words}


@pytest.mark.parametrize("page", pages_with_readme(), ids=name_of)
def test_every_make_target_shown_exists(page):
    targets = set(re.findall(r"^([\w-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    assert {words[0] for words in commands_of(page, "make")} <= targets


PYTHON = [
    pytest.param(code, output, id=f"{name_of(page)}-{number}")
    for page in pages_with_readme()
    for number, (code, output) in enumerate(blocks_of(page, "python"))
]


@pytest.mark.parametrize(("code", "output"), PYTHON)
def test_every_example_prints_what_is_shown(code, output, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    from lesionseg.networks import registry

    monkeypatch.setattr(registry, "_REGISTERED", dict(registry._REGISTERED))
    printed = io.StringIO()
    with contextlib.redirect_stdout(printed):
        exec(compile(code, "example", "exec"), {"__name__": "example"})
    assert output is not None, "show what the example prints in a text block behind it"
    assert printed.getvalue() == output


def load_script(name, folder=DOCS):
    spec = importlib.util.spec_from_file_location(name, folder / f"{name}.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_tables_are_those_of_the_code():
    tables = load_script("make_tables")
    for (page, name), table in tables.TABLES.items():
        text = (DOCS / page).read_text(encoding="utf-8")
        fresh = tables.with_table(text, name, table())
        assert text == fresh, f"run python docs/make_tables.py: {name} in {page} is stale"


def test_the_command_line_page_is_that_of_the_code():
    script = load_script("make_command_line")
    fresh = script.page()
    assert script.PAGE.read_text() == fresh, "run python docs/make_command_line.py"
    for command in (*cli.TRAINER_COMMANDS, *cli.SMALL_COMMANDS):
        assert fresh.count(f"\n## {command}\n") == 1
    assert "| `--model.learning_rate` | `FLOAT` |" in fresh
    assert "| `--root` | `DIR` | folder of the official folders (required) |" in fresh
    assert "--trainer.accelerator" not in fresh  # Lightning's options are left to Lightning


def test_equations_become_mathml():
    hook = load_script("mathml")
    page = '<p>a</p><div class="arithmatex">\\[\nx_1 &lt; 2\n\\]</div><p>b</p>'
    found = hook.on_page_content(page)
    assert found.startswith('<p>a</p><div class="equation"><math ')
    assert found.endswith("</math></div><p>b</p>")
    assert "<msub>" in found
    assert "&#x0003C;" in found
    assert "amp" not in found
    assert "arithmatex" not in found
    inline = hook.on_page_content('<p>of <span class="arithmatex">\\(x_1\\)</span>.</p>')
    assert re.fullmatch(r"<p>of <math [^>]*display=\"inline\".*<msub>.*</math>\.</p>", inline)


def test_pages_say_where_lines_may_break():
    hook = load_script("narrow")
    found = hook.on_page_content("<table><td>0.8 (0.7 to 0.9), 3 x 4</td><td>b</td></table>")
    assert '0.8 <span class="unbroken">(0.7 to 0.9)</span>, <span class="unbroken">3 x 4<' in found
    assert "<td>b</td>" in found
    prose = "a sentence of several words, <b>with &lt; and tags</b>"
    found = hook.on_page_content(f'<td style="x">{prose}</td><td>{"<i></i>" * 9}short</td>')
    assert found.startswith(f'<td style="x" class="prose">{prose}</td><td><i>')
    found = hook.on_page_content("<code>lesionseg --a.b &lt;c&gt; x</code><pre>--option</pre>")
    assert found.startswith('<code>lesionseg <span class="unbroken">--a.b</span> &lt;c&gt; x<')
    assert found.endswith("<pre>--option</pre>")
    long = f"<code>{'a-' * 20}</code>"
    assert hook.on_page_content(long) == long
    picture = '<img alt="a" src="../b.png" />'
    assert hook.on_page_content(picture) == f'<a class="picture" href="../b.png">{picture}</a>'
    embedded = '<img alt="a" src="data:image/png;base64,AA">'
    assert hook.on_page_content(embedded) == embedded


def test_the_readme_for_an_index_has_no_pictures_and_no_relative_links():
    found = load_script("setup", ROOT).index_readme(
        "![drawn](docs/a.png)\n\n*Its caption.*\n\n"
        "A ![badge](b.svg), [a page](docs/c.md) and [a paper](https://doi.org/1).\n"
    )
    assert found == "A , a page and [a paper](https://doi.org/1).\n"


REFERENCE = re.compile(r"^::: (\S+)$", re.MULTILINE)
LISTED = {
    name for page in (DOCS / "reference").iterdir() for name in REFERENCE.findall(page.read_text())
}
PUBLIC = json.loads((ROOT / "tests" / "public_names.json").read_text())


def resolve(name):
    module, _, attribute = name.rpartition(".")
    return getattr(import_module(module), attribute)


def test_the_reference_lists_every_public_name():
    listed = {name.rpartition(".")[2] for name in LISTED}
    short = {"__version__", "PAM", "CAM"}  # the page says what the two are short for
    for package, names in PUBLIC.items():
        assert set(names) - listed <= short, package


def test_the_reference_lists_objects_and_no_modules():
    for name in LISTED:
        assert not isinstance(resolve(name), ModuleType), name
        assert not any(part.startswith("_") for part in name.split(".")), name


def imported_names(code):
    """The names that a program imports from lesionseg, with their modules."""
    for node in ast.walk(ast.parse(code)):
        if isinstance(node, ast.ImportFrom) and (node.module or "").split(".")[0] == "lesionseg":
            yield from ((node.module, alias.name) for alias in node.names)
        if isinstance(node, ast.Import):
            yield from (
                (alias.name, None) for alias in node.names if alias.name.startswith("lesionseg")
            )


def shown_programs():
    for path in sorted((ROOT / "examples").glob("*.py")):
        yield pytest.param(path.read_text(), id=path.name)
    for path in sorted((ROOT / "examples").glob("*.ipynb")):
        cells = json.loads(path.read_text())["cells"]
        code = "\n".join("".join(cell["source"]) for cell in cells if cell["cell_type"] == "code")
        yield pytest.param(code, id=path.name)
    for page in pages_with_readme():
        for number, (code, _) in enumerate(blocks_of(page, "python")):
            yield pytest.param(code, id=f"{name_of(page)}-{number}")


@pytest.mark.parametrize("code", list(shown_programs()))
def test_examples_import_what_the_reference_lists(code):
    for module, name in imported_names(code):
        if name is None:
            assert module in PUBLIC
        else:
            assert name in PUBLIC.get(module, ()) or f"{module}.{name}" in LISTED, (module, name)


ARCHITECTURE = (DOCS / "architecture.md").read_text(encoding="utf-8")


def test_the_architecture_page_lists_the_rooms_in_their_order():
    table = ARCHITECTURE.split("## From disk to score")[0]
    assert re.findall(r"^\| `(\w+)` \|", table, re.MULTILINE) == list(ROOMS)
    shared = set(re.findall(r"`lesionseg/(\w+)\.py`", table))
    assert shared == SHARED - {"_version"}
    package = ROOT / "lesionseg"
    folders = {path.name for path in package.iterdir() if any(path.glob("**/*.*"))} - {
        "__pycache__"
    }
    assert folders == {*ROOMS, "configs", "weights"}


def test_what_the_architecture_page_names_exists():
    code = "\n".join(path.read_text() for path in (ROOT / "lesionseg").rglob("*.py"))
    for name in re.findall(r"`([^`\n]+)`", ARCHITECTURE):
        if re.fullmatch(r"(lesionseg|tests|docs|tools)(/\w+)+(\.\w+)?|[\w.]+\.(md|yml)", name):
            assert "NAME" in name or (ROOT / name).exists(), name
        elif re.fullmatch(r"[A-Z]\w+", name) and name not in {"CLASSES", "RECIPES"}:
            assert re.search(rf"\b(class {name}\b|{name}\b.*=)", code), name
    picture = (DOCS / "images" / "architecture.svg").read_text(encoding="utf-8")
    for name in re.findall(r'class="name"[^>]*>([\w/.]+)<', picture):
        path = ROOT / "lesionseg" / name
        assert path.exists() or path.with_suffix(".py").exists(), name


def test_the_examples_page_shows_every_example():
    page = (DOCS / "examples.md").read_text()
    for path in (ROOT / "examples").iterdir():
        if path.suffix in (".py", ".sh", ".ipynb") and path.stem != "make_notebook":
            assert f"examples/{path.name}" in page


def test_the_pictures_are_what_the_script_draws():
    for name, draw in load_script("make_images").PICTURES.items():
        sheet = draw()
        with Image.open(DOCS / "images" / name) as picture:
            assert picture.size == sheet.size
            difference = ImageChops.difference(picture.convert("RGB"), sheet)
        # its palette changes each pixel a little; another drawing would differ by far more
        assert max(ImageStat.Stat(difference).mean) < 6, f"run python docs/make_images.py: {name}"
        assert (DOCS / "images" / name).stat().st_size < 400_000


def test_the_citation_is_of_this_version_and_names_both_papers():
    citation = yaml.safe_load((ROOT / "CITATION.cff").read_text(encoding="utf-8"))
    assert citation["cff-version"] == "1.2.0"
    assert str(citation["version"]) == lesionseg.__version__
    assert all(citation[key] for key in ("message", "title", "authors"))
    papers = citation["references"]
    assert [paper["title"].partition(":")[0] for paper in papers] == ["ASNet", "MobileGAN"]
    for paper in papers:
        assert all(paper[key] for key in ("type", "title", "authors", "year"))
    project = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
    assert f'license = "{citation["license"]}"\n' in project


def test_the_changelog_lists_this_version_with_its_date():
    changelog = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
    citation = yaml.safe_load((ROOT / "CITATION.cff").read_text(encoding="utf-8"))
    assert f"## [{lesionseg.__version__}] - {citation['date-released']}\n" in changelog
