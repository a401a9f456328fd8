"""Apply mutants to a copy of the checkout, one at a time, and report those that the tests miss.

A mutant is a small fault in a file of the package: wrong labels, a mean that became a sum, another
learning rate. ``mutants.yaml`` lists them with the tests that must notice::

    python tools/mutants.py                # all; minutes
    python tools/mutants.py --only gamma   # those whose description or file has a word
    python tools/mutants.py --check        # only whether the list still fits the code

Exits with 1 if a mutant survives or no longer fits, or if a test fails without any. Needs a system
that can fork (Linux, macOS): torch and Lightning are imported once and not for every mutant.
"""

from __future__ import annotations

import argparse
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING

import yaml

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).resolve().parent.parent
LIST = Path(__file__).with_suffix(".yaml")
#: Slow to import and not part of the package.
_PRELOADED = ("pytest", "hypothesis", "lightning.pytorch", "torchvision", "torchmetrics", "scipy")


@dataclass(frozen=True)
class Mutant:
    """A fault.

    Attributes:
        what: The fault, in words.
        file: Path of the file from the root of the checkout.
        old: Text that occurs in the file exactly once.
        new: Its replacement.
        tests: Test files, at least one of which must fail.
    """

    what: str
    file: str
    old: str
    new: str
    tests: tuple[str, ...]

    def applied_to(self, text: str) -> str:
        """The file's text with the fault in it."""
        return text.replace(self.old, self.new)

    def problem(self, root: Path) -> str | None:
        """Why the mutant does not fit the code; None if it does."""
        path = root / self.file
        if not path.is_file():
            return f"{self.file} does not exist"
        found = path.read_text(encoding="utf-8").count(self.old)
        if found != 1:
            return f"{self.file} holds its old text {found} times instead of once"
        if self.old == self.new:
            return "its old and its new text are the same"
        if problem := _parse(self.file, self.applied_to(path.read_text(encoding="utf-8"))):
            return problem
        missing = [test for test in self.tests if not (root / test).is_file()]
        return f"{missing[0]} does not exist" if missing else None


def _parse(file: str, text: str) -> str | None:
    """Why a file cannot be read; a mutant that dies of its spelling proves nothing."""
    try:
        if file.endswith(".py"):
            compile(text, file, "exec")
        elif file.endswith(".yaml"):
            yaml.safe_load(text)
    except (SyntaxError, yaml.YAMLError) as error:
        return f"with its new text {file} cannot be read ({str(error).splitlines()[0]})"
    return None


def read_list(path: Path = LIST) -> list[Mutant]:
    """Read the mutants of a YAML file: groups with ``tests``, ``file`` and ``mutants``."""
    mutants = []
    for group in yaml.safe_load(path.read_text(encoding="utf-8")):
        for entry in group["mutants"]:
            mutants.append(
                Mutant(
                    entry["what"],
                    entry.get("file", group.get("file")),
                    entry["old"],
                    entry["new"],
                    tuple(entry.get("tests", group["tests"])),
                )
            )
    return mutants


def copy_checkout(target: Path) -> None:
    """Copy all files that git knows or would add."""
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    for name in filter(None, listed.stdout.split("\0")):
        if (ROOT / name).is_file():
            (target / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(ROOT / name, target / name)


@contextmanager
def applied(mutant: Mutant, root: Path) -> Iterator[None]:
    """Change the file for the duration of the context."""
    path = root / mutant.file
    original = path.read_text(encoding="utf-8")
    path.write_text(mutant.applied_to(original), encoding="utf-8")
    try:
        yield
    finally:
        path.write_text(original, encoding="utf-8")


def tests_pass(root: Path, tests: Sequence[str], log: Path, seconds: int) -> bool:
    """Run tests of a checkout in a forked process; a test that hangs fails."""
    child = os.fork()
    if child:
        _, status = os.waitpid(child, 0)
        return status == 0
    with log.open("w") as stream:
        os.dup2(stream.fileno(), 1)
        os.dup2(stream.fileno(), 2)
        signal.alarm(seconds)
        os.chdir(root)
        sys.path.insert(0, str(root))
        # Bytecode of a file that changes twice within a second would not be rebuilt.
        sys.dont_write_bytecode = True
        os.environ |= {"PYTHONPATH": str(root), "PYTHONDONTWRITEBYTECODE": "1"}
        code = 1
        try:
            import pytest

            import lesionseg

            assert Path(lesionseg.__file__).is_relative_to(root), lesionseg.__file__
            code = int(pytest.main(["-x", "-q", "-p", "no:cacheprovider", *tests]))
        finally:
            stream.flush()
            os._exit(code)


def run(mutants: Sequence[Mutant], seconds: int) -> int:
    """Run all mutants and print what happens to each; return the number of faults."""
    for name in _PRELOADED:
        import_module(name)
    with tempfile.TemporaryDirectory() as folder:
        root, log = Path(folder, "checkout").resolve(), Path(folder, "log.txt")
        copy_checkout(root)
        files = sorted({test for mutant in mutants for test in mutant.tests})
        if not tests_pass(root, files, log, 60 + seconds * len(files)):
            print(log.read_text(errors="replace"))
            print("the tests fail without any mutant; fix them first.")
            return 1
        survivors = []
        for number, mutant in enumerate(mutants, start=1):
            began = time.monotonic()
            with applied(mutant, root):
                lives = tests_pass(root, mutant.tests, log, seconds)
            took = time.monotonic() - began
            verdict = "SURVIVES" if lives else "dies"
            print(f"{number}/{len(mutants)} {verdict:<8} {took:5.1f} s  {mutant.what}", flush=True)
            if lives:
                survivors.append(mutant)
    print(f"\n{len(mutants) - len(survivors)} of {len(mutants)} mutants die.")
    for mutant in survivors:
        print(f"survives: {mutant.what} ({mutant.file})\n  {', '.join(mutant.tests)}")
    return len(survivors)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the program and return its exit code."""
    parser = argparse.ArgumentParser(description="Apply mutants and report those that survive.")
    parser.add_argument(
        "--only",
        nargs="+",
        metavar="WORD",
        help="only those whose description or file contains any of these words",
    )
    parser.add_argument("--check", action="store_true", help="only compare the list with the code")
    parser.add_argument("--seconds", type=int, default=180, help="limit for the tests of a mutant")
    options = parser.parse_args(arguments)
    mutants = read_list()
    if options.only:
        mutants = [
            mutant
            for mutant in mutants
            if any(word.lower() in f"{mutant.what} {mutant.file}".lower() for word in options.only)
        ]
    problems = [(mutant, problem) for mutant in mutants if (problem := mutant.problem(ROOT))]
    for mutant, problem in problems:
        print(f"does not fit: {mutant.what}: {problem}")
    if options.check or problems:
        print(f"{len(mutants) - len(problems)} of {len(mutants)} mutants fit the code.")
        return 1 if problems else 0
    return 1 if run(mutants, options.seconds) else 0


if __name__ == "__main__":
    sys.exit(main())
