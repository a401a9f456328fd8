"""``lesionseg agreement``: compare annotators with each other, and a model with them."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from lesionseg.errors import LesionsegError
from lesionseg.files import MARK, atomic_path, check_outputs

SCORES = ("jaccard", "dice", "threshold_jaccard", "accuracy", "sensitivity", "specificity")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of ``lesionseg agreement`` to its parser."""
    parser.description = (
        "Compare the masks of several annotators with each other, and a model with each annotator "
        "and with their consensus (majority and STAPLE). MASKS holds <image>/<annotator>.png or "
        "<image>_<annotator>.png; IMA++'s masks are read with --metadata."
    )
    parser.add_argument("masks", metavar="MASKS", type=Path, help="folder of the annotators' masks")
    parser.add_argument(
        "--metadata",
        metavar="FILE",
        type=Path,
        help="table of masks with the columns ISIC_id, seg_filename and annotator, such as IMA++'s",
    )
    parser.add_argument(
        "--images", metavar="DIR", type=Path, help="folder of the images; --model needs it"
    )
    model = parser.add_mutually_exclusive_group()
    model.add_argument(
        "--model",
        metavar="NAME",
        help="also score a model: name of a pretrained model, or path of a checkpoint, an exported "
        ".onnx file or a folder of save_pretrained; its uncertainty is compared with where "
        "annotators disagree",
    )
    model.add_argument(
        "--predictions",
        metavar="DIR",
        type=Path,
        help="also score the masks in a folder, named after the images",
    )
    parser.add_argument(
        "--score",
        choices=SCORES,
        default="jaccard",
        help="score that is shown (default: %(default)s)",
    )
    parser.add_argument(
        "--min-annotators",
        type=int,
        default=2,
        metavar="N",
        help="leave out images with masks of fewer annotators (default: %(default)s)",
    )
    parser.add_argument(
        "--device",
        default="auto",
        help="device of the model, such as cpu or cuda (default: a GPU if there is one)",
    )
    parser.add_argument(
        "-o",
        "--output",
        choices=["table", "json"],
        default="table",
        help="output format (default: %(default)s)",
    )
    parser.add_argument(
        "--markdown", type=Path, metavar="FILE", help="also write the table as Markdown"
    )
    parser.add_argument(
        "--overwrite",
        action="store_true",
        help="also replace an existing file that lesionseg did not write",
    )


def run(options: argparse.Namespace) -> int:
    """Run ``lesionseg agreement`` and return its exit code.

    Raises:
        LesionsegError: If masks, images or the model cannot be used.
    """
    if options.model is not None and options.images is None:
        raise LesionsegError("--model needs the images; give their folder with --images DIR.")
    markdown: Path | None = options.markdown
    if markdown is not None:
        check_outputs([markdown], [p for p in (options.metadata,) if p], options.overwrite)

    from lesionseg.scoring.agreement import score_agreement

    predictor = None
    if options.model is not None:
        from lesionseg.inference.loading import load_predictor

        predictor = load_predictor(options.model, options.device)
    agreement = score_agreement(
        options.masks,
        options.metadata,
        options.images,
        predictor,
        options.predictions,
        options.score,
        options.min_annotators,
        progress=sys.stderr.isatty(),
    )
    if options.output == "json":
        print(agreement.to_json())
    else:
        images, people = len(agreement.ids), len(agreement.annotators)
        print(
            f"{options.score} of {images} image{'s' * (images != 1)} and {people} annotators: mean "
            "over images (95% interval)\n"
        )
        print(agreement.render())
        if said := agreement.render_uncertainty():
            print(f"\n{said}")
    if markdown is not None:
        with atomic_path(markdown) as unfinished:
            parts = [
                agreement.render("markdown"),
                agreement.render_uncertainty(),
                f"<!-- {MARK} -->",
            ]
            unfinished.write_text("\n\n".join(filter(None, parts)) + "\n", encoding="utf-8")
    return 0
