"""Every decimal number in a sentence of the pages has a known origin."""

import re
from collections import Counter
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).resolve().parent.parent
KNOWN = yaml.safe_load((Path(__file__).with_name("prose_numbers.yaml")).read_text(encoding="utf-8"))
#: Pages that other tests compare with their data as a whole.
GENERATED = {
    "docs/command-line.md",
    *(
        f"docs/results/{name}-quick.md"
        for name in ("asnet-table2", "mobilegan-tables", "mobilegan-sizes")
    ),
}
PAGES = {
    str(path.relative_to(ROOT)): path
    for path in (ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md")))
    if str(path.relative_to(ROOT)) not in GENERATED
}
LEFT_OUT = (
    r"(?ms)^```.*?^```$",  # programs and what they print
    r"(?s)<!-- (?:begin: )?[\w :-]+ -->\n.*?<!-- (?:/|end: )[\w :-]+ -->",  # tables
    r"(?m)^\|.*$",
    r"`[^`\n]*`",
    r"(?<=\])\([^)]*\)",  # addresses
    r"https?://\S+",
)


def numbers_of(text):
    for pattern in LEFT_OUT:
        text = re.sub(pattern, "", text)
    return re.findall(r"(?<![\w.])[+-]?\d[\d,]*\.\d+(?![\w.]*\d\.)", text)


@pytest.mark.parametrize("page", PAGES)
def test_where_each_number_comes_from_is_known(page):
    found = Counter(numbers_of(PAGES[page].read_text(encoding="utf-8")))
    listed = Counter(number for numbers in KNOWN.get(page, {}).values() for number in numbers)
    hint = "write a test that recomputes it, and list it in tests/prose_numbers.yaml"
    assert found - listed == Counter(), f"{page}: {hint}"
    assert listed - found == Counter(), f"{page}: no longer there; remove it from the list"


def test_the_tests_that_recompute_numbers_exist():
    code = "\n".join(
        path.read_text(encoding="utf-8") for path in Path(__file__).parent.rglob("*.py")
    )
    origins = {origin for page in KNOWN.values() for origin in page} - {"setting", "quoted"}
    assert {origin for origin in origins if f"def {origin}(" not in code} == set()
    assert set(KNOWN) <= set(PAGES)


def test_a_new_number_would_be_found():
    assert numbers_of("It gains 1.25 points, up to `0.5`, [here](a-0.7.md).") == ["1.25"]
