"""The ``lesionseg`` program: which command goes where, and one sentence for each mistake.

Kept free of heavy imports, so that ``--help`` and the small commands answer at once.
"""

from __future__ import annotations

import argparse
import errno
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
from lesionseg.cli.distributed import PEER_LOST, is_peer_lost
from lesionseg.cli.help.docstrings import plain
from lesionseg.cli.help.parser import CommandParser
from lesionseg.cli.streams import READER_GONE, discard_output, reader_is_gone
from lesionseg.errors import NOTHING_TO_TRAIN, LesionsegError, NothingToTrainError, printable

#: Commands of LightningCLI.
TRAINER_COMMANDS = {
    "fit": "train a model",
    "validate": "score a checkpoint on the validation images, at the network's size",
    "test": "score a checkpoint on the test images, at their original size",
    "predict": "write masks, overlays and a submission zip for a data set",
}
#: Small commands: what they do, and the module with their ``add_arguments`` and ``run``.
SMALL_COMMANDS = {
    "download": (
        "download, verify and extract the official ISIC archives",
        "lesionseg.cli.download",
    ),
    "inspect": (
        "tell what is in image data, and show what augmentation does",
        "lesionseg.cli.inspect",
    ),
    "segment": ("masks, overlays and measurements of photographs", "lesionseg.cli.segment"),
    "export": (
        "one file for ONNX Runtime, torch.export or phones",
        "lesionseg.cli.export",
    ),
    "score": (
        "score masks against the truth, as the challenge does",
        "lesionseg.cli.score",
    ),
    "compare": (
        "tell whether tested models differ by more than chance",
        "lesionseg.cli.compare",
    ),
    "cross-validate": (
        "train and score a fresh model for each fold",
        "lesionseg.cli.cross_validate",
    ),
    "reproduce": (
        "make the tables of the two papers again",
        "lesionseg.cli.reproduce",
    ),
    "models": (
        "list the networks: parameters, operations, papers, options",
        "lesionseg.cli.models",
    ),
}

_INTERRUPTED = 128 + signal.SIGINT
_TERMINATED = 128 + signal.SIGTERM
_PATIENCE = 1.0  # seconds for a thread that reads a file


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs one command.

    Args:
        arguments: What stands behind ``lesionseg``; None takes the process's own.

    Returns:
        The exit code: 0 done, 1 a mistake that the message names, 2 wrong usage, 3 a fit that
        resumes and has nothing left to train, 130 Ctrl-C, 141 nobody reads the output any more, 143
        SIGTERM.
    """
    arguments = list(sys.argv[1:] if arguments is None else arguments)
    try:
        code = _run(arguments)
    except BrokenPipeError:
        if not reader_is_gone():
            raise
        discard_output()
        return READER_GONE
    except SystemExit:  # argparse's, behind its help or a usage
        unwritten = _flush()
        if unwritten:
            return unwritten
        raise
    return _flush() or code


def _flush() -> int:
    """Write what is left here: at its exit Python would complain by itself."""
    try:
        sys.stdout.flush()
        sys.stderr.flush()
    except BrokenPipeError:
        discard_output()
        return READER_GONE
    except OSError as error:
        discard_output()
        return _fail(_describe(error))
    return 0


def _run(arguments: list[str]) -> int:
    """Run one command; what goes wrong is said in one sentence."""
    try:
        return _dispatch(arguments)
    except NothingToTrainError as error:
        return _fail(str(error), NOTHING_TO_TRAIN)
    except LesionsegError as error:
        return _fail(str(error))
    except KeyboardInterrupt:
        return _fail("interrupted", _INTERRUPTED)
    except SystemExit as error:
        # Lightning's would exit with 0
        if error.code != _TERMINATED and type(error).__name__ != "SIGTERMException":
            raise
        return _fail("terminated", _TERMINATED)
    except OSError as error:
        if _debugging() or (isinstance(error, BrokenPipeError) and reader_is_gone()):
            raise
        return _fail(_describe(error))
    except Exception as error:
        if _debugging():
            raise
        if is_peer_lost(error):
            return _fail(PEER_LOST)
        if not _is_expected(error):
            raise
        return _fail(str(error))


def _dispatch(arguments: list[str]) -> int:
    warnings.filterwarnings("ignore", module=r"PIL\.")  # what is wrong with a file we say ourselves
    command = arguments[0] if arguments else "--help"
    if command in TRAINER_COMMANDS:
        from lesionseg.cli.help.page import print_help, wants_help

        if wants_help(arguments[1:]):
            print_help(arguments)
            return 0
        from lesionseg.cli.trainer import run

        return run(arguments)
    if command in SMALL_COMMANDS:
        module_name = SMALL_COMMANDS[command][1]
        module = importlib.import_module(module_name)
        parser = CommandParser(prog=f"lesionseg {command}", description=plain(module.__doc__ or ""))
        module.add_arguments(parser)
        options, rest = parser.parse_known_args(arguments[1:])
        if getattr(module, "PASSES_ON", False):
            parser.refuse_misspelled(rest, "fit")
        elif rest:
            parser.error(printable(f"unrecognized arguments: {' '.join(rest)}"))
        options.rest = rest
        with _ended_by_sigterm():
            code: int = module.run(options)
        return code
    top = _top_parser()
    top.parse_args(arguments)
    top.print_help()
    return 0


@contextmanager
def _ended_by_sigterm() -> Iterator[None]:
    """Within it SIGTERM is an exception, so that unfinished files are removed on the way out."""

    def end(*_: object) -> NoReturn:
        raise SystemExit(_TERMINATED)

    if threading.current_thread() is not threading.main_thread():  # the others get no signals
        yield
        return
    before = signal.signal(signal.SIGTERM, end)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def _top_parser() -> argparse.ArgumentParser:
    summaries = TRAINER_COMMANDS | {name: entry[0] for name, entry in SMALL_COMMANDS.items()}
    lines = "\n".join(f"  {name:<15} {summary}" for name, summary in summaries.items())
    parser = argparse.ArgumentParser(
        prog="lesionseg",
        usage="lesionseg COMMAND [options]",
        description="Segment skin lesions in dermoscopy images.\n\ncommands:\n" + lines,
        epilog="lesionseg COMMAND --help tells a command's options. LESIONSEG_DEBUG=1 shows the\n"
        "whole traceback of an error.",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--version", action="version", version=f"lesionseg {__version__}")
    parser.add_argument("command", nargs="?", type=_command, help=argparse.SUPPRESS)
    return parser


def _command(name: str) -> str:
    import difflib

    known = [*TRAINER_COMMANDS, *SMALL_COMMANDS]
    close = difflib.get_close_matches(name, known, 1)
    hint = f"did you mean {close[0]}?" if close else f"choose from {', '.join(known)}"
    raise argparse.ArgumentTypeError(f"there is no command {name!r}; {hint}")


def _debugging() -> bool:
    return bool(os.environ.get("LESIONSEG_DEBUG"))


def _is_expected(error: Exception) -> bool:
    """Whether the message alone serves the user: an argument out of range, a misconfiguration."""
    return isinstance(error, ValueError) or type(error).__name__ == "MisconfigurationException"


def _describe(error: OSError) -> str:
    where = f" {error.filename}" if error.filename else ""
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return f"the disk is full; make room and run the same command again{where and ':' + where}"
    if isinstance(error, FileNotFoundError):
        return f"no such file or folder:{where}" if where else str(error)
    if isinstance(error, PermissionError):
        return f"no permission to use{where}"
    if isinstance(error, FileExistsError | NotADirectoryError) and where:
        return f"a folder is needed where there is a file:{where}"
    return f"{error.strerror or error}{where and ':' + where}"


def _fail(message: str, code: int = 1) -> int:
    print(f"lesionseg: error: {printable(message)}", file=sys.stderr)
    return code


def program() -> NoReturn:
    """Run the command line as the process; after Ctrl-C or SIGTERM it ends whatever hangs."""
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")  # names of folders may be no text
    code = main()
    if code in (_INTERRUPTED, _TERMINATED) and "lesionseg.data.io.thread_pool" in sys.modules:
        from lesionseg.data.io.thread_pool import stuck_threads

        sys.stdout.flush()
        sys.stderr.flush()
        if stuck_threads(_PATIENCE):
            os._exit(code)  # Python's own end waits for all threads
    sys.exit(code)
