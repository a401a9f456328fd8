"""The ``lesionseg`` program: which module runs each command, and one sentence for each error.

Free of heavy imports, so that ``--help`` and the small commands start fast.
"""

from __future__ import annotations

import argparse
import importlib
import io
import os
import signal
import sys
import threading
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import NoReturn

from lesionseg._version import __version__
from lesionseg.cli.distributed import PROCESS_LOST, is_process_lost
from lesionseg.cli.help.docstrings import plain
from lesionseg.cli.help.parser import CommandParser
from lesionseg.cli.streams import READER_GONE, discard_output, flush_output, reader_is_gone
from lesionseg.errors import NOTHING_TO_TRAIN, LesionsegError, NothingToTrainError, printable

SUMMARIES = {
    "fit": "train a model",
    "validate": "score a checkpoint on the validation images, at the network's size",
    "test": "score a checkpoint on the test images, at their original size",
    "predict": "write masks, overlays and a submission zip for a data set",
    "download": "download, verify and extract the official ISIC archives",
    "inspect": "summarize a data set and preview augmentation",
    "segment": "segment photographs",
    "calibrate": "fit a temperature and a threshold on held-out images",
    "app": "serve a page to segment photographs on",
    "export": "export a model to ONNX, torch.export or ExecuTorch",
    "score": "score masks as the ISIC challenge does",
    "agreement": "compare annotators with each other, and a model with them",
    "compare": "compare two models with a paired test",
    "report": "write a report of runs as one HTML file",
    "cross-validate": "train and score a model on each fold",
    "figure": "draw images with the masks of several models side by side",
    "reproduce": "reproduce the tables of the two papers",
    "models": "list networks and trained models",
}
"""All commands, each with a summary of one line."""
TRAINER_COMMANDS = ("fit", "validate", "test", "predict")
"""Commands of LightningCLI."""
SMALL_COMMANDS = {
    name: f"lesionseg.cli.{name.replace('-', '_')}"
    for name in SUMMARIES
    if name not in TRAINER_COMMANDS
}
"""The other commands, each with the module that holds its ``add_arguments`` and ``run``."""

_INTERRUPTED = 128 + signal.SIGINT
_TERMINATED = 128 + signal.SIGTERM
_THREAD_SECONDS = 1.0  # for a thread that reads a file to finish


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command.

    Args:
        arguments: Command and its arguments; None takes those of the process.

    Returns:
        The exit code: 0 done, 1 an error that the message names, 2 wrong usage, 3 a fit that
        resumes and has nothing left to train, 130 Ctrl-C, 141 the reader of the output has gone,
        143 SIGTERM.

    Example:
        >>> from lesionseg.cli.main import main
        >>> main(["models", "asnet", "--output", "json"])
        [
          {
            "name": "asnet",
            ...
        0
    """
    arguments = list(sys.argv[1:] if arguments is None else arguments)
    try:
        code = _run(arguments)
    except BrokenPipeError:
        if not reader_is_gone():
            raise
        discard_output()
        return READER_GONE
    except SystemExit:  # raised by argparse after its help or usage
        unwritten = _flush()
        if unwritten:
            return unwritten
        raise
    return _flush() or code


def _flush() -> int:
    """Write buffered output; return the exit code of a failure, else 0."""
    try:
        flush_output()
    except BrokenPipeError:
        return READER_GONE
    except OSError as error:
        return _fail_on_file(error)
    return 0


def _run(arguments: list[str]) -> int:
    """Run one command and report an expected error in one sentence."""
    try:
        return _dispatch(arguments)
    except NothingToTrainError as error:
        return _fail(str(error), NOTHING_TO_TRAIN)
    except LesionsegError as error:
        return _fail(str(error))
    except KeyboardInterrupt:
        return _fail("interrupted", _INTERRUPTED)
    except SystemExit as error:
        # Lightning's SIGTERMException is a SystemExit with code 0
        if error.code != _TERMINATED and type(error).__name__ != "SIGTERMException":
            raise
        return _fail("terminated", _TERMINATED)
    except OSError as error:
        if _debugging() or (isinstance(error, BrokenPipeError) and reader_is_gone()):
            raise
        return _fail_on_file(error)
    except Exception as error:
        if _debugging():
            raise
        if is_process_lost(error):
            return _fail(PROCESS_LOST)
        if not _is_expected(error):
            raise
        return _fail(str(error))


def _dispatch(arguments: list[str]) -> int:
    warnings.filterwarnings("ignore", module=r"PIL\.")  # faults of files are errors of our own
    command = arguments[0] if arguments else "--help"
    if command in TRAINER_COMMANDS:
        from lesionseg.cli.help.page import print_help, wants_help

        if wants_help(arguments[1:]):
            print_help(arguments, SUMMARIES[command])
            return 0
        from lesionseg.cli.trainer import run

        return run(arguments)
    if command in SMALL_COMMANDS:
        module = importlib.import_module(SMALL_COMMANDS[command])
        parser = CommandParser(prog=f"lesionseg {command}", description=plain(module.__doc__ or ""))
        module.add_arguments(parser)
        options, rest = parser.parse_known_args(arguments[1:])
        if getattr(module, "PASSES_ARGUMENTS_TO_FIT", False):
            parser.refuse_misspelled(rest, "fit")
        elif rest:
            parser.error(printable(f"unrecognized arguments: {' '.join(rest)}"))
        options.rest = rest
        with _sigterm_as_exception():
            code: int = module.run(options)
        return code
    top = _top_parser()
    top.parse_args(arguments)
    top.print_help()
    return 0


@contextmanager
def _sigterm_as_exception() -> Iterator[None]:
    """Raise SystemExit on SIGTERM, so that unfinished files are removed."""

    def end(*_: object) -> NoReturn:
        raise SystemExit(_TERMINATED)

    if threading.current_thread() is not threading.main_thread():  # others receive no signals
        yield
        return
    before = signal.signal(signal.SIGTERM, end)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def _top_parser() -> argparse.ArgumentParser:
    lines = "\n".join(f"  {name:<15} {summary}" for name, summary in SUMMARIES.items())
    parser = argparse.ArgumentParser(
        prog="lesionseg",
        usage="lesionseg COMMAND [options]",
        description="Segment skin lesions in dermoscopy images.\n\ncommands:\n" + lines,
        epilog="lesionseg COMMAND --help shows a command's options. LESIONSEG_DEBUG=1 shows the\n"
        "whole traceback of an error.",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--version", action="version", version=f"lesionseg {__version__}")
    parser.add_argument("command", nargs="?", type=_command, help=argparse.SUPPRESS)
    return parser


def _command(name: str) -> str:
    import difflib  # only needed after a mistake

    close = difflib.get_close_matches(name, SUMMARIES, 1)
    hint = f"did you mean {close[0]}?" if close else f"choose from {', '.join(SUMMARIES)}"
    raise argparse.ArgumentTypeError(f"there is no command {name!r}; {hint}")


def _debugging() -> bool:
    return bool(os.environ.get("LESIONSEG_DEBUG"))


def _is_expected(error: Exception) -> bool:
    """Return whether the message suffices without a traceback, as of an argument out of range."""
    return isinstance(error, ValueError) or type(error).__name__ == "MisconfigurationException"


def _fail(message: str, code: int = 1) -> int:
    print(f"lesionseg: error: {printable(message)}", file=sys.stderr)
    return code


def _fail_on_file(error: OSError) -> int:
    from lesionseg.cli.messages import describe_os_error  # compiles patterns

    return _fail(describe_os_error(error))


def program() -> NoReturn:
    """Run the command line and exit; after Ctrl-C or SIGTERM also where a thread still reads."""
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")  # names of folders may not be text
    code = main()
    if code in (_INTERRUPTED, _TERMINATED) and "lesionseg.data.io.thread_pool" in sys.modules:
        from lesionseg.data.io.thread_pool import stuck_threads

        sys.stdout.flush()
        sys.stderr.flush()
        if stuck_threads(_THREAD_SECONDS):
            os._exit(code)  # Python would wait for all threads
    sys.exit(code)
