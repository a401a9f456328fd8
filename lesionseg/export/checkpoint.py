"""From a checkpoint to a checked file for another runtime."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, get_args

import torch
from torch import Tensor, nn

from lesionseg._version import __version__
from lesionseg.checkpoints import read_checkpoint
from lesionseg.data import FolderDataset, SyntheticLesions
from lesionseg.data.datasets.sample import Sample
from lesionseg.data.io.reading import check_size
from lesionseg.data.splits import shuffle_ids
from lesionseg.errors import CheckpointError, InvalidDataError, LesionsegError, shorten
from lesionseg.export.checks import Run, check_equal, check_scores, official_scores
from lesionseg.export.deployable import AttentionExport, Deployable
from lesionseg.export.to_executorch import load_executorch, to_executorch
from lesionseg.export.to_onnx import save_onnx, to_onnx
from lesionseg.export.to_torch import save_program, to_program
from lesionseg.files import atomic_path, remove_unfinished
from lesionseg.inference.metadata import ExportMetadata, InputType
from lesionseg.inference.onnx import ExportedPredictor
from lesionseg.inference.predictor import predictor_of_checkpoint

if TYPE_CHECKING:
    from torch.export.dynamic_shapes import Dim

Format = Literal["onnx", "torch", "executorch"]
SUFFIXES: dict[Format, str] = {"onnx": ".onnx", "torch": ".pt2", "executorch": ".pte"}

_CALIBRATION_IMAGES = 64
_SCORED_IMAGES = 100
_LARGEST_SIDE = 8192


@dataclass(frozen=True)
class Export:
    """A written file and what it was compared with.

    Attributes:
        path: The file.
        metadata: What it says of itself.
        difference: The largest difference of a probability from the network's; None for int8.
        scores: For int8 the official scores before and after, on the same images.
        scored: For int8, what these images are.
    """

    path: Path
    metadata: ExportMetadata
    difference: float | None = None
    scores: tuple[dict[str, float], dict[str, float]] | None = None
    scored: str = ""


@dataclass(frozen=True)
class ExportOptions:
    """How to export; the defaults suit a server or a desktop.

    Attributes:
        format: ``"onnx"``, ``"torch"`` (a program of ``torch.export``) or ``"executorch"``
            (lowered to XNNPACK, for phones).
        size: (height, width) that the file takes; None takes the checkpoint's.
        dynamic: Leave batch, height and width free, in the network's multiples (not ExecuTorch).
        input: ``"float"`` for RGB in [0, 1] or ``"uint8"``.
        attention: See :class:`Deployable`. With ``dynamic``, ``"standard"`` becomes ``"whole"``.
        quantize: None or ``"int8"`` (not torch).
        images: Folder of images for int8: some calibrate it, others score it; None draws them.
        masks: Folder of their masks.
        licence: Of the weights.

    Raises:
        LesionsegError: Two of them do not go together.
    """

    format: Format = "onnx"
    size: tuple[int, int] | None = None
    dynamic: bool = False
    input: InputType = "float"
    attention: AttentionExport = "standard"
    quantize: Literal["int8"] | None = None
    images: Path | None = None
    masks: Path | None = None
    licence: str = "not stated"

    def __post_init__(self) -> None:
        if self.format not in get_args(Format):
            raise LesionsegError(f"there is no format {self.format!r}; choose {get_args(Format)}.")
        if self.dynamic and self.format == "executorch":
            raise LesionsegError("ExecuTorch programs have fixed sizes; leave out --dynamic.")
        if self.attention == "fused" and self.format != "onnx":
            raise LesionsegError("--attention fused is an operator of ONNX Runtime; leave it out.")
        if self.quantize and self.format == "torch":
            raise LesionsegError("int8 is for --format onnx and executorch; leave out --quantize.")
        if (self.images is None) != (self.masks is None):
            raise LesionsegError("give --images and --masks, or neither of them.")
        if self.images is not None and not self.quantize:
            raise LesionsegError("--images and --masks are for --quantize int8; leave them out.")


def export_checkpoint(
    checkpoint: str | Path, output: str | Path, options: ExportOptions | None = None
) -> Export:
    """Write a checkpoint's network as one file, once it is proven equal to the network.

    The file takes images and gives probabilities; normalisation and sigmoid are inside. It is
    loaded again and compared before it gets its name: probabilities within 1e-4 of the eager
    network's on noise and on drawn lesions; with int8, official Jaccard and thresholded Jaccard
    within half a point.

    Args:
        checkpoint: Of any model of this package.
        output: The file to write.
        options: How; None takes the defaults.

    Raises:
        CheckpointError: The checkpoint cannot be used.
        LesionsegError: A package is missing, the network cannot be exported so, or the exported
            program differs too much. Nothing is written then.
    """
    options = options or ExportOptions()
    output = Path(output)
    if output.suffix != SUFFIXES[options.format] or output.is_dir():
        # Said before the export, which may take minutes; segment goes by the suffix.
        raise LesionsegError(
            f"the output {output} must be a file whose name ends in {SUFFIXES[options.format]}."
        )
    remove_unfinished(output.parent)
    predictor = predictor_of_checkpoint(checkpoint)
    size = options.size or predictor.size
    _check_size(predictor.network, size)
    if options.dynamic and options.format == "onnx":
        _check_pooling(predictor.network)
    attention = options.attention
    if options.dynamic and attention == "standard":
        attention = "whole"  # blocks need a known number of positions
    eager = Deployable(predictor.network, options.input)
    model = Deployable(predictor.network, options.input, attention)
    metadata = ExportMetadata(
        size=size,
        threshold=predictor.threshold,
        input=options.input,
        recipe=_recipe(checkpoint),
        licence=options.licence,
        version=__version__,
        quantization=options.quantize,
    )
    calibration, scored = _samples(options, size) if options.quantize else ([], [])
    examples = _examples(model, size, options.dynamic)
    with atomic_path(output) as temporary:
        _write(temporary, model, metadata, options, examples[0], calibration)
        run = _load(temporary, options.format)
        if not options.quantize:
            try:
                difference = check_equal(run, eager, examples)
            except CheckpointError as error:  # of the file that was written, not of the user's
                raise _cannot_run(model.network, options, error) from error
            except (LesionsegError, MemoryError):
                raise
            except Exception as error:  # each runtime has its own kinds
                raise _cannot_run(model.network, options, error) from error
            return Export(output, metadata, difference)
        before = official_scores(_arrays(eager), model, scored, predictor.threshold)
        after = official_scores(run, model, scored, predictor.threshold)
        check_scores(before, after)
    what = "drawn lesions" if options.images is None else f"images of {options.images}"
    return Export(output, metadata, scores=(before, after), scored=f"{len(scored)} {what}")


def _cannot_run(network: nn.Module, options: ExportOptions, error: Exception) -> LesionsegError:
    name = type(network).__name__
    hint = "Leave out --dynamic." if options.dynamic else "Try another --format."
    reason = str(error).strip().partition("\n")[0][:200]
    return LesionsegError(
        f"{name} cannot be exported so ({type(error).__name__}: {reason}). {hint}"
    )


def _check_pooling(network: nn.Module) -> None:
    """Refuse free sizes in ONNX, which has no pooling to a grid of fixed height and width.

    The exporter writes windows of the example's size instead. Pooling to one pixel is a mean.
    """
    grids = []
    for module in network.modules():
        if isinstance(module, nn.AdaptiveAvgPool2d | nn.AdaptiveMaxPool2d):
            asked = module.output_size
            height, width = asked if isinstance(asked, tuple) else (asked, asked)
            if (height, width) not in ((1, 1), (None, None)):
                grids.append(f"{height} x {width}")
    if grids:
        raise LesionsegError(
            f"{type(network).__name__} pools to grids of {shorten(dict.fromkeys(grids))}, which "
            "ONNX cannot do at free heights and widths; leave out --dynamic, or give --format torch"
        )


def _write(
    path: Path,
    model: Deployable,
    metadata: ExportMetadata,
    options: ExportOptions,
    example: Tensor,
    calibration: Sequence[Sample],
) -> None:
    shapes = _free_shapes(model.network) if options.dynamic else None
    batches = [model.fed(sample["image"][None]) for sample in calibration]
    try:
        if options.format == "torch":
            save_program(to_program(model, example, shapes), metadata, path)
        elif options.format == "executorch":
            path.write_bytes(to_executorch(model, example, metadata, batches or None))
        else:
            proto = to_onnx(model, example, shapes)
            if batches:
                from lesionseg.export.quantize_onnx import quantize_onnx

                proto = quantize_onnx(proto, [batch.numpy() for batch in batches])
            save_onnx(proto, metadata, path)
    except (LesionsegError, OSError, MemoryError):
        raise
    except Exception as error:  # each exporter has its own kinds
        raise _cannot_run(model.network, options, error) from error


def _load(path: Path, format: Format) -> Run:
    """What runs a written file."""
    if format == "onnx":
        predictor = ExportedPredictor(path)
        return lambda images: predictor.run(images.numpy())
    if format == "torch":
        return _arrays(torch.export.load(path).module())
    return _arrays(load_executorch(path))


def _arrays(module: Callable[[Tensor], Tensor]) -> Run:
    """A function of tensors as one that gives arrays."""

    def run(images: Tensor) -> Any:
        with torch.inference_mode():
            return module(images).numpy()

    return run


def _recipe(checkpoint: str | Path) -> dict[str, Any]:
    """What a checkpoint says of how its network was made and trained."""
    content = read_checkpoint(checkpoint)
    hyper_parameters = dict(content.get("hyper_parameters", {}))
    return {
        "model": hyper_parameters.pop("_class_path", ""),
        "network": content["lesionseg"]["network"],
        "hyper_parameters": hyper_parameters,
        "epochs": content.get("epoch", -1) + 1,
    }


def _check_size(network: nn.Module, size: tuple[int, int]) -> None:
    """Refuse a size that the network cannot take, by its own sentence."""
    check = getattr(network, "check_image", None)
    if check is not None:
        check(torch.empty(1, 3, *check_size(size), device="meta"))


def _examples(model: Deployable, size: tuple[int, int], dynamic: bool) -> list[Tensor]:
    """Noise and a drawing of the size and, with free dimensions, two of another batch and size."""
    generator = torch.Generator().manual_seed(0)
    drawn = next(_drawings(1, size))["image"][None]
    noise = torch.rand(1, 3, *size, generator=generator)
    if not dynamic:
        return [model.fed(noise), model.fed(drawn)]
    multiple = getattr(model.network, "size_multiple", 1)
    other = (size[0] + 2 * multiple, size[1] + 4 * multiple)
    return [
        model.fed(torch.cat([noise, drawn])),
        model.fed(torch.rand(1, 3, *size, generator=generator)),
        model.fed(torch.rand(3, 3, *other, generator=generator)),
    ]


def _drawings(count: int, size: tuple[int, int]) -> Iterator[Sample]:
    """Drawn lesions, whose images are of any size, with their truth."""
    drawn = SyntheticLesions(count, (max(size[0], 32), max(size[1], 32)), with_truth=True)
    for index in range(count):
        sample = drawn[index]
        image = nn.functional.interpolate(
            sample["image"][None], size, mode="bilinear", antialias=True
        )[0]
        sample["image"] = image.clamp(0, 1)
        yield sample


def _free_shapes(network: nn.Module) -> dict[int, Dim]:
    """Free batch, height and width; the latter two in the network's multiples."""
    from torch.export import Dim

    multiple = getattr(network, "size_multiple", 1)
    # torch.export fixes a dimension that may be 1, of the innermost maps too.
    least = -(-getattr(network, "minimum_size", 1) // multiple) + 1
    height, width = (
        Dim(name, min=least, max=_LARGEST_SIDE // multiple) for name in ("height", "width")
    )
    if multiple > 1:
        height, width = multiple * height, multiple * width
    return {0: Dim("batch", min=1, max=1024), 2: height, 3: width}


def _samples(options: ExportOptions, size: tuple[int, int]) -> tuple[list[Sample], list[Sample]]:
    """Images that calibrate int8, and others that score it."""
    if options.images is None:
        samples = _drawings(_CALIBRATION_IMAGES + _SCORED_IMAGES, size)
        return list(itertools.islice(samples, _CALIBRATION_IMAGES)), list(samples)
    data = FolderDataset(options.images, options.masks, size, with_truth=True)
    if len(data) < 2:
        raise InvalidDataError(
            f"{options.images} holds {len(data)} image; int8 needs one to calibrate on and one to "
            "score, better a hundred."
        )
    ids = shuffle_ids(data.ids, seed=0)
    half = min(_CALIBRATION_IMAGES, len(ids) // 2)
    data = data.subset(ids[: half + _SCORED_IMAGES])
    samples = (data[index] for index in range(len(data)))
    return list(itertools.islice(samples, half)), list(samples)
