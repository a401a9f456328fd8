"""Serve a local page to segment photographs on: lesionseg app."""

from __future__ import annotations

import argparse
from pathlib import Path

from lesionseg.errors import LesionsegError, printable

_PAIRS = Path("lesionseg-pairs")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of ``lesionseg app``."""
    parser.description = (
        "Serve a page on this machine to segment photographs on: outline, probability, "
        "uncertainty and measures, corrections that are saved as training pairs, and several "
        'photographs at once. Needs pip install "lesionseg[app]".'
    )
    parser.add_argument(
        "--model",
        nargs="+",
        default=[],
        metavar="MODEL",
        help="checkpoints and .onnx files to choose from, beside the models of the package",
    )
    parser.add_argument(
        "--pairs",
        type=Path,
        default=_PAIRS,
        metavar="DIR",
        help="folder for corrected training pairs (default: %(default)s)",
    )
    parser.add_argument(
        "--host",
        default="127.0.0.1",
        metavar="ADDRESS",
        help="address to serve; 0.0.0.0 lets other machines connect (default: %(default)s)",
    )
    parser.add_argument(
        "--port", type=int, metavar="N", help="port (default: the first free one from 7860 on)"
    )
    parser.add_argument(
        "--share",
        action="store_true",
        help="ask Gradio's servers for a public link; photographs then pass through them",
    )
    parser.add_argument("--open", action="store_true", help="open the page in a browser")


def run(arguments: argparse.Namespace) -> int:
    """Run ``lesionseg app`` until Ctrl-C and return its exit code.

    Raises:
        LesionsegError: If Gradio is not installed, a model cannot be used, or the port is in use.
    """
    if arguments.port is not None and not 1 <= arguments.port <= 65535:
        raise LesionsegError(f"expected --port to be 1 to 65535, got {arguments.port}.")

    from lesionseg.app.page import build_app, launch

    page = build_app(arguments.model, arguments.pairs)
    _, address, public = launch(
        page,
        arguments.host,
        arguments.port,
        arguments.share,
        inbrowser=arguments.open,
        prevent_thread_lock=True,
    )
    print(printable(f"Page:  {public or address} (Ctrl-C ends it)"), flush=True)
    print(printable(f"Pairs: {arguments.pairs}"), flush=True)
    page.block_thread()
    return 0
