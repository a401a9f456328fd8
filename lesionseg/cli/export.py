"""Export a checkpoint for another runtime: lesionseg export CKPT --format onnx."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from lesionseg.files import check_outputs
from lesionseg.inference.regions import POST_PROCESSINGS

if TYPE_CHECKING:
    from lesionseg.export.checkpoint import Export


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of ``lesionseg export`` to its parser."""
    parser.description = (
        "Export the network of a checkpoint as a file that maps RGB images to probabilities. The "
        "file is compared with the network before it is written."
    )
    parser.add_argument(
        "checkpoint",
        metavar="CKPT",
        type=Path,
        help="a checkpoint of any model of lesionseg, a name of lesionseg models --pretrained, or "
        "owner/name on the Hugging Face Hub",
    )
    parser.add_argument(
        "--format",
        choices=["onnx", "torch", "executorch"],
        default="onnx",
        help="onnx for ONNX Runtime and lesionseg segment; torch for torch.export.load; executorch "
        "for phones, with XNNPACK (default: %(default)s)",
    )
    parser.add_argument(
        "-o",
        "--output",
        metavar="FILE",
        type=Path,
        help="output file (default: next to CKPT, with its name)",
    )
    parser.add_argument(
        "--overwrite",
        action="store_true",
        help="also replace files that lesionseg did not write",
    )
    parser.add_argument(
        "--size",
        nargs=2,
        type=int,
        metavar=("H", "W"),
        help="height and width of the input (default: those of the training images)",
    )
    parser.add_argument(
        "--dynamic", action="store_true", help="dynamic batch, height and width (onnx, torch)"
    )
    parser.add_argument(
        "--input",
        choices=["float", "uint8"],
        default="float",
        help="RGB in [0, 1] or from 0 to 255 (default: %(default)s)",
    )
    parser.add_argument(
        "--attention",
        choices=["standard", "whole", "fused"],
        default="standard",
        help="position attention as blocks of standard operators, with the whole map of all pairs "
        "of pixels, or as an operator of ONNX Runtime (default: %(default)s)",
    )
    parser.add_argument(
        "--quantize", choices=["int8"], help="8-bit weights and activations (onnx, executorch)"
    )
    parser.add_argument(
        "--images",
        metavar="DIR",
        type=Path,
        help="for int8: images for the calibration and the scores (default: synthetic images)",
    )
    parser.add_argument("--masks", metavar="DIR", type=Path, help="for int8: the images' masks")
    parser.add_argument(
        "--postprocess",
        choices=POST_PROCESSINGS,
        default="none",
        help="post-processing that lesionseg segment applies to masks of the file; the file itself "
        "maps images to probabilities (default: %(default)s)",
    )
    parser.add_argument(
        "--license",
        "--licence",  # its name in version 0.1
        default="not stated",
        help="license of the weights, stored in the file (default: %(default)s)",
    )


def run(arguments: argparse.Namespace) -> int:
    """Run ``lesionseg export``.

    Raises:
        LesionsegError: See :func:`lesionseg.export.export_checkpoint`.
    """
    from lesionseg.export.checkpoint import SUFFIXES, ExportOptions, export_checkpoint
    from lesionseg.hub import is_hub_id

    options = ExportOptions(
        format=arguments.format,
        size=None if arguments.size is None else tuple(arguments.size),
        dynamic=arguments.dynamic,
        input=arguments.input,
        attention=arguments.attention,
        quantize=arguments.quantize,
        images=arguments.images,
        masks=arguments.masks,
        license=arguments.license,
        postprocess=arguments.postprocess,
    )
    suffix = SUFFIXES[options.format]
    output = arguments.output or arguments.checkpoint.with_suffix(suffix)
    if arguments.output is None and is_hub_id(arguments.checkpoint.as_posix()):
        output = Path(arguments.checkpoint.name + suffix)
    check_outputs([output], [arguments.checkpoint], arguments.overwrite)
    print(_summary(export_checkpoint(arguments.checkpoint, output, options)))
    return 0


def _summary(export: Export) -> str:
    """Describe an exported file and its comparison."""
    metadata = export.metadata
    height, width = metadata.size
    lines = [
        f"File:       {export.path} ({export.path.stat().st_size / 1e6:.1f} MB)",
        f"Input:      RGB {metadata.input} at {height} x {width} (height x width)",
        f"Output:     probability of {metadata.classes[0]}; mask above {metadata.threshold}",
    ]
    if export.difference is not None:
        lines.append(f"Difference: {export.difference:.1e} at most from the network's probability")
    if export.scores is not None:
        before, after = export.scores
        lines.append(f"Scores:     before and after int8, on {export.scored}")
        lines += [f"  {name:<18} {before[name]:.4f}  {after[name]:.4f}" for name in before]
    return "\n".join(lines)
