"""Export a checkpoint as a file for another runtime, and check it."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, get_args

import torch
from torch import Tensor, nn

from lesionseg._moved import RenamedAttribute, renamed_arguments
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
from lesionseg.inference.regions import POST_PROCESSINGS, PostProcessing

if TYPE_CHECKING:
    from torch.export.dynamic_shapes import Dim

Format = Literal["onnx", "torch", "executorch"]
SUFFIXES: dict[Format, str] = {"onnx": ".onnx", "torch": ".pt2", "executorch": ".pte"}

_CALIBRATION_IMAGES = 64
_SCORED_IMAGES = 100
_LARGEST_SIDE = 8192


@dataclass(frozen=True)
class Export:
    """Result of an export.

    Attributes:
        path: The file.
        metadata: Metadata of the file.
        difference: Maximum difference of a probability from the network's; None for int8.
        scores: Official scores before and after int8, on the same images.
        scored: Description of these images.

    Example:
        >>> from pathlib import Path
        >>> from lesionseg.export import Export
        >>> from lesionseg.inference import ExportMetadata
        >>> Export(Path("best.onnx"), ExportMetadata(size=(192, 256), threshold=0.5), 3e-7).scores
    """

    path: Path
    metadata: ExportMetadata
    difference: float | None = None
    scores: tuple[dict[str, float], dict[str, float]] | None = None
    scored: str = ""


@dataclass(frozen=True)
class ExportOptions:
    """Options of an export; the defaults suit a server or a desktop computer.

    Attributes:
        format: ``"onnx"``, ``"torch"`` (a program of ``torch.export``) or ``"executorch"``
            (lowered to XNNPACK, for phones).
        size: (height, width) of the input; None takes the checkpoint's.
        dynamic: Leave batch, height and width dynamic, in multiples of the network's (not for
            ExecuTorch).
        input: ``"float"`` for RGB in [0, 1] or ``"uint8"`` for RGB from 0 to 255.
        attention: See :class:`Deployable`. With ``dynamic``, ``"standard"`` becomes ``"whole"``.
        quantize: None or ``"int8"`` (not for torch).
        images: Folder of images for int8, some for calibration and others for the scores; None
            takes synthetic images.
        masks: Folder of their masks.
        license: License of the weights.
        postprocess: Post-processing that :func:`lesionseg.segment` applies to masks of the file; it
            is stored as metadata.

    Raises:
        LesionsegError: If two options exclude each other.

    Example:
        >>> from lesionseg.export import ExportOptions
        >>> ExportOptions(size=(192, 256)).format
        'onnx'
        >>> ExportOptions(format="executorch", dynamic=True)
        Traceback (most recent call last):
        lesionseg.errors.LesionsegError: ExecuTorch programs have fixed sizes; leave out --dynamic.
    """

    format: Format = "onnx"
    size: tuple[int, int] | None = None
    dynamic: bool = False
    input: InputType = "float"
    attention: AttentionExport = "standard"
    quantize: Literal["int8"] | None = None
    images: Path | None = None
    masks: Path | None = None
    license: str = "not stated"
    postprocess: PostProcessing = "none"

    licence = RenamedAttribute("license")

    def __post_init__(self) -> None:
        if self.format not in get_args(Format):
            raise LesionsegError(
                f"expected format to be one of {', '.join(get_args(Format))}, got {self.format!r}"
            )
        if self.postprocess not in POST_PROCESSINGS:
            raise LesionsegError(
                f"expected postprocess to be one of {', '.join(POST_PROCESSINGS)}, "
                f"got {self.postprocess!r}"
            )
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


ExportOptions.__init__ = renamed_arguments(licence="license")(ExportOptions.__init__)  # type: ignore[method-assign]


def export_checkpoint(
    checkpoint: str | Path, output: str | Path, options: ExportOptions | None = None
) -> Export:
    """Export the network of a checkpoint as a file that maps images to probabilities.

    Normalization and sigmoid are part of the file. It is loaded and compared with the network
    before it is written: probabilities may differ by 1e-4 on noise and on synthetic lesions; with
    int8, official Jaccard and thresholded Jaccard may lose half a point of 100.

    Args:
        checkpoint: Checkpoint of any model of this package, or name or folder of a pretrained
            model.
        output: File to write.
        options: Options; None takes the defaults.

    Raises:
        CheckpointError: If the checkpoint cannot be used.
        LesionsegError: If a package is missing, the network cannot be exported with these options,
            or the exported program differs too much. Nothing is written then.

    Example:
        >>> import tempfile
        >>> from pathlib import Path
        >>> from lesionseg import Segmenter
        >>> from lesionseg.export import ExportOptions, export_checkpoint
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     model = Segmenter("unet", {"width": 1}, size=(16, 16))
        ...     saved = model.save_pretrained(Path(folder, "unet"))
        ...     output = Path(folder, "unet.pt2")
        ...     export = export_checkpoint(saved, output, ExportOptions(format="torch"))
        >>> export.path.name, export.metadata.size, export.difference < 1e-4
        ('unet.pt2', (16, 16), True)
    """
    options = options or ExportOptions()
    output = Path(output)
    if output.suffix != SUFFIXES[options.format] or output.is_dir():
        # Before the export, which may take minutes. The suffix matters to segment.
        raise LesionsegError(
            f"expected output to be a file that ends in {SUFFIXES[options.format]}, got {output}"
        )
    remove_unfinished(output.parent)
    predictor = predictor_of_checkpoint(checkpoint)
    size = options.size or predictor.size
    _check_size(predictor.network, size)
    if options.dynamic and options.format == "onnx":
        _check_pooling(predictor.network)
    attention = options.attention
    if options.dynamic and attention == "standard":
        attention = "whole"  # blocks need a known number of pixels
    eager = Deployable(predictor.network, options.input)
    model = Deployable(predictor.network, options.input, attention)
    metadata = ExportMetadata(
        size=size,
        threshold=predictor.threshold,
        input=options.input,
        provenance=_provenance(checkpoint),
        license=options.license,
        version=__version__,
        quantization=options.quantize,
        postprocess=options.postprocess,
    )
    calibration, scored = _samples(options, size) if options.quantize else ([], [])
    examples = _examples(model, size, options.dynamic)
    with atomic_path(output) as temporary:
        _write(temporary, model, metadata, options, examples[0], calibration)
        run = _load(temporary, options.format)
        if not options.quantize:
            try:
                difference = check_equal(run, eager, examples)
            except CheckpointError as error:  # of the exported file
                raise _cannot_run(model.network, options, error) from error
            except (LesionsegError, MemoryError):
                raise
            except Exception as error:  # each runtime has its own exceptions
                raise _cannot_run(model.network, options, error) from error
            return Export(output, metadata, difference)
        before = official_scores(_arrays(eager), model, scored, predictor.threshold)
        after = official_scores(run, model, scored, predictor.threshold)
        check_scores(before, after)
    what = "synthetic images" if options.images is None else f"images of {options.images}"
    return Export(output, metadata, scores=(before, after), scored=f"{len(scored)} {what}")


def _cannot_run(network: nn.Module, options: ExportOptions, error: Exception) -> LesionsegError:
    name = type(network).__name__
    hint = "Leave out --dynamic." if options.dynamic else "Try another --format."
    reason = str(error).strip().partition("\n")[0][:200]
    return LesionsegError(
        f"{name} cannot be exported with these options ({type(error).__name__}: {reason}). {hint}"
    )


def _check_pooling(network: nn.Module) -> None:
    """Refuse dynamic sizes for networks that pool to grids of fixed height and width.

    ONNX has no such operator; the exporter writes windows of the example's size instead.
    """
    grids = []
    for module in network.modules():
        if isinstance(module, nn.AdaptiveAvgPool2d | nn.AdaptiveMaxPool2d):
            given = module.output_size
            height, width = given if isinstance(given, tuple) else (given, given)
            if (height, width) not in ((1, 1), (None, None)):  # a mean, and the identity
                grids.append(f"{height} x {width}")
    if grids:
        raise LesionsegError(
            f"{type(network).__name__} pools to grids of {shorten(dict.fromkeys(grids))}, which "
            "ONNX cannot do with dynamic sizes; leave out --dynamic, or use --format torch."
        )


def _write(
    path: Path,
    model: Deployable,
    metadata: ExportMetadata,
    options: ExportOptions,
    example: Tensor,
    calibration: Sequence[Sample],
) -> None:
    shapes = _dynamic_shapes(model.network) if options.dynamic else None
    batches = [model.encode(sample["image"][None]) for sample in calibration]
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
    except Exception as error:  # each exporter has its own exceptions
        raise _cannot_run(model.network, options, error) from error


def _load(path: Path, format: Format) -> Run:
    """Return a function that runs an exported file."""
    if format == "onnx":
        predictor = ExportedPredictor(path)
        return lambda images: predictor.run(images.numpy())
    if format == "torch":
        return _arrays(torch.export.load(path).module())
    return _arrays(load_executorch(path))


def _arrays(module: Callable[[Tensor], Tensor]) -> Run:
    """Return a function that converts the tensor that another returns to an array."""

    def run(images: Tensor) -> Any:
        with torch.inference_mode():
            return module(images).numpy()

    return run


def _provenance(checkpoint: str | Path) -> dict[str, Any]:
    """Return the network of a checkpoint, and how it was trained."""
    content = read_checkpoint(checkpoint)
    hyper_parameters = dict(content.get("hyper_parameters", {}))
    return {
        "model": hyper_parameters.pop("_class_path", ""),
        "network": content["lesionseg"]["network"],
        "hyper_parameters": hyper_parameters,
        "epochs": content.get("epoch", -1) + 1,
    }


def _check_size(network: nn.Module, size: tuple[int, int]) -> None:
    """Raise the error of a network for a size that it does not support."""
    check = getattr(network, "check_image", None)
    if check is not None:
        check(torch.empty(1, 3, *check_size(size), device="meta"))


def _examples(model: Deployable, size: tuple[int, int], dynamic: bool) -> list[Tensor]:
    """Return noise and a synthetic image; with dynamic shapes also other batches and sizes."""
    generator = torch.Generator().manual_seed(0)
    image = next(_synthetic(1, size))["image"][None]
    noise = torch.rand(1, 3, *size, generator=generator)
    if not dynamic:
        return [model.encode(noise), model.encode(image)]
    multiple = getattr(model.network, "size_multiple", 1)
    other = (size[0] + 2 * multiple, size[1] + 4 * multiple)
    return [
        model.encode(torch.cat([noise, image])),
        model.encode(torch.rand(1, 3, *size, generator=generator)),
        model.encode(torch.rand(3, 3, *other, generator=generator)),
    ]


def _synthetic(count: int, size: tuple[int, int]) -> Iterator[Sample]:
    """Yield synthetic lesions with their ground truth, with images resized to any size."""
    lesions = SyntheticLesions(count, (max(size[0], 32), max(size[1], 32)), with_truth=True)
    for index in range(count):
        sample = lesions[index]
        image = nn.functional.interpolate(
            sample["image"][None], size, mode="bilinear", antialias=True
        )[0]
        sample["image"] = image.clamp(0, 1)
        yield sample


def _dynamic_shapes(network: nn.Module) -> dict[int, Dim]:
    """Return dynamic batch, height and width; the latter two in multiples of the network's."""
    from torch.export import Dim

    multiple = getattr(network, "size_multiple", 1)
    # torch.export makes dimensions that can be 1 static, also those of inner feature maps.
    least = -(-getattr(network, "minimum_size", 1) // multiple) + 1
    height, width = (
        Dim(name, min=least, max=_LARGEST_SIDE // multiple) for name in ("height", "width")
    )
    if multiple > 1:
        height, width = multiple * height, multiple * width
    return {0: Dim("batch", min=1, max=1024), 2: height, 3: width}


def _samples(options: ExportOptions, size: tuple[int, int]) -> tuple[list[Sample], list[Sample]]:
    """Return images for the calibration of int8, and others for its scores."""
    if options.images is None:
        samples = _synthetic(_CALIBRATION_IMAGES + _SCORED_IMAGES, size)
        return list(itertools.islice(samples, _CALIBRATION_IMAGES)), list(samples)
    data = FolderDataset(options.images, options.masks, size, with_truth=True)
    if len(data) < 2:
        raise InvalidDataError(
            f"{options.images} holds {len(data)} image; int8 needs at least two, one for the "
            "calibration and one for the scores: give about a hundred."
        )
    ids = shuffle_ids(data.ids, seed=0)
    half = min(_CALIBRATION_IMAGES, len(ids) // 2)
    data = data.subset(ids[: half + _SCORED_IMAGES])
    samples = (data[index] for index in range(len(data)))
    return list(itertools.islice(samples, half)), list(samples)
