"""The ``lesionseg`` program: one module for each command."""

PROGRAM = "lesionseg.cli.main:main"
"""The function that runs a command, for processes that run more of them."""
