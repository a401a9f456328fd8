# The two commands of the README, and what CI adds to them.
PYTHON ?= python3
BIN := .venv/bin
RUN := runs/quickstart

.PHONY: quickstart test test-slow lint docs clean

quickstart: .venv/installed
	$(BIN)/python examples/quickstart.py --run $(RUN)

test: .venv/installed-test
	$(BIN)/python -m pytest -n 2 --dist loadfile

test-slow: .venv/installed-test
	$(BIN)/python -m pytest -n 2 --dist loadfile -m slow

lint: .venv/installed-test
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

docs: .venv/installed-test
	$(BIN)/mkdocs build --strict

.venv/bin/python:
	$(PYTHON) -m venv .venv

.venv/installed: pyproject.toml | .venv/bin/python
	$(BIN)/python -m pip install --quiet --editable .
	touch $@

.venv/installed-test: pyproject.toml | .venv/bin/python
	$(BIN)/python -m pip install --quiet --editable ".[test]"
	touch $@ .venv/installed

clean:
	rm -rf .venv runs build dist site *.egg-info
