"""The ``lesionseg`` program: one module for each command."""

PROGRAM = "lesionseg.cli.main:main"
"""The function that runs a command, for the processes in which experiments run commands."""
