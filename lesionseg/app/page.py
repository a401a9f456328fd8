"""The page of ``lesionseg app``, made with Gradio."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable, Sequence
from functools import wraps
from pathlib import Path
from typing import Any

from PIL import Image

from lesionseg.app.session import (
    Models,
    check_model_file,
    corrected_mask,
    flat_measures,
    heat,
    open_photograph,
    pack,
    save_pair,
    segment_batch,
    threshold_of,
    with_threshold,
)
from lesionseg.errors import LesionsegError
from lesionseg.inference.segmentation import Segmentation, with_photograph
from lesionseg.inspection.tables import Table

_SHOWN = 1200  # longer side in pixels of pictures on the page
_CANVAS = 800  # of the picture that is corrected
_ADD, _REMOVE = "rgb(255, 23, 68)", "rgb(33, 150, 243)"  # colors of the brush
_MAX_FILE = "200mb"


def import_gradio() -> Any:
    """Import Gradio without its analytics.

    Raises:
        LesionsegError: If Gradio is not installed.
    """
    os.environ["GRADIO_ANALYTICS_ENABLED"] = "False"  # read when Gradio is imported
    try:
        import gradio
    except ImportError as error:
        raise LesionsegError(
            'lesionseg app needs Gradio; install it with pip install "lesionseg[app]".'
        ) from error
    return gradio


def build_app(models: Sequence[str | Path] = (), pairs: str | Path | None = None) -> Any:
    """Build the page.

    Args:
        models: Checkpoints, folders of ``save_pretrained`` and ``.onnx`` files to choose from,
            beside the models of the package.
        pairs: Folder for corrected training pairs; None for a temporary one, from which each pair
            can be downloaded.

    Returns:
        A ``gradio.Blocks``.

    Raises:
        CheckpointError: If a model cannot be used.
        LesionsegError: If Gradio is not installed.
    """
    gr = import_gradio()
    known = Models(models)
    temporary = tempfile.TemporaryDirectory(prefix="lesionseg-app-")
    work = Path(temporary.name)
    folder = work / "pairs" if pairs is None else Path(pairs).expanduser().absolute()

    def said(function: Callable[..., Any]) -> Callable[..., Any]:
        """Show an expected error as a sentence; everything on the page stays."""

        @wraps(function)
        def wrapped(*values: Any) -> Any:
            try:
                return function(*values)
            except (LesionsegError, OSError) as error:
                raise gr.Error(str(error), print_exception=False) from error

        return wrapped

    @said
    def segment(path: str | None, name: str) -> Any:
        if path is None:
            return None, 0.5, *_empty()
        image = open_photograph(path)
        result = with_photograph(known.segment(image, name), image, path)
        threshold = threshold_of(known.get(name))
        return result, threshold, *_shown(result)

    @said
    def move(result: Segmentation | None, threshold: float) -> Any:
        if result is None:
            return None, *_empty()
        result = with_threshold(result, threshold)
        return result, *_shown(result)

    @said
    def download(result: Segmentation | None) -> str:
        result = _existing(result)
        out = Path(tempfile.mkdtemp(dir=work)) / result.name
        result.save(out, "mask,overlay,probability,json,csv")
        return str(pack(out))

    @said
    def save(result: Segmentation | None, editor: dict[str, Any] | None) -> Any:
        result = _existing(result)  # that of the editor
        assert result.image is not None
        layers = [layer for layer in (editor or {}).get("layers") or [] if layer is not None]
        mask = corrected_mask(result.mask, layers)
        paths = save_pair(result.image, mask, result.name, folder)
        sentence = f"Saved {paths[1].name} of {int(mask.sum())} lesion pixels to {folder}."
        return sentence, [str(path) for path in paths]

    @said
    def batch(paths: list[str] | None, name: str, threshold: float) -> Any:
        files = [Path(path) for path in paths or []]
        target, rows, skipped = segment_batch(files, known, name, threshold, work)
        lines = [f"{len(rows)} of {len(files)} photographs segmented.", *skipped]
        cells = tuple(
            tuple(str(row[name]) for name in ("image", "lesion_pixels", "lesion_percent", "pieces"))
            for row in rows
        )
        table = Table(("photograph", "lesion pixels", "percent of the image", "pieces"), cells)
        return str(target), "\n\n".join(lines), table.render("html")

    @said
    def upload(path: str) -> Any:
        name = known.add(check_model_file(Path(path)))
        labels = [(Path(found).name, found) for found in known.names]
        return gr.Dropdown(choices=labels, value=name)

    def correct(result: Segmentation | None) -> Any:
        return result, None if result is None else _canvas(result)

    with gr.Blocks(title="lesionseg", analytics_enabled=False) as page:
        gr.Markdown(
            "# lesionseg\nSegments skin lesions in dermoscopy images. For research; not a medical "
            "device. Photographs stay on the machine that runs this page."
        )
        state, corrected = gr.State(), gr.State()
        with gr.Row():
            labels = [(Path(name).name, name) for name in known.names]
            model = gr.Dropdown(labels, value=known.default, label="Model", elem_id="model")
            threshold = gr.Slider(
                0.01,
                0.99,
                0.5,
                step=0.01,
                label="Threshold",
                elem_id="threshold",
            )
            uploaded = gr.UploadButton(
                "Other model (.ckpt, .onnx)", type="filepath", elem_id="other-model"
            )
        with gr.Tab("Photograph"), gr.Row():
            with gr.Column():
                photo = gr.File(label="Photograph", type="filepath", elem_id="photo")
                prepare = gr.Button("Prepare download", elem_id="prepare")
                results = gr.File(label="Results", interactive=False, elem_id="results")
            with gr.Column(scale=2):
                pictures = [
                    gr.Image(
                        label=label,
                        format="png",
                        interactive=False,
                        buttons=["download", "fullscreen"],  # "share" uploads
                        elem_id=key,
                    )
                    for label, key in (
                        ("Outline", "outline"),
                        ("Probability", "probability"),
                        ("Uncertainty (bits)", "uncertainty"),
                    )
                ]
            with gr.Column():
                measures = gr.HTML(label="Measures", elem_id="measures")
        with gr.Tab("Correct"):
            gr.Markdown(
                "Paint red over lesion that the outline leaves out, blue over skin that it "
                "includes, and save photograph and mask. Strokes stay until another photograph is "
                "chosen."
            )
            editor = gr.ImageEditor(
                type="pil",
                label="Mask",
                sources=(),
                transforms=(),
                layers=False,
                format="png",
                brush=gr.Brush(default_size=30, colors=[_ADD, _REMOVE], color_mode="fixed"),
                buttons=["fullscreen"],
                elem_id="editor",
            )
            again = gr.Button("Start again from the current mask", elem_id="again")
            keep = gr.Button("Save as training pair", variant="primary", elem_id="keep")
            saved = gr.Markdown(elem_id="saved")
            pair = gr.File(label="Training pair", interactive=False, elem_id="pair")
        with gr.Tab("Batch"):
            many = gr.File(
                label="Photographs", file_count="multiple", type="filepath", elem_id="many"
            )
            go = gr.Button("Segment all", variant="primary", elem_id="go")
            archive = gr.File(label="Results", interactive=False, elem_id="archive")
            report = gr.Markdown(elem_id="report")
            table = gr.HTML(elem_id="table")
        shown = [*pictures, measures]
        segmented = [state, threshold, *shown]
        photo.change(segment, [photo, model], segmented).success(
            correct, state, [corrected, editor]
        )
        model.change(segment, [photo, model], segmented)
        threshold.release(move, [state, threshold], [state, *shown])
        again.click(correct, state, [corrected, editor])
        prepare.click(download, state, results)
        keep.click(save, [corrected, editor], [saved, pair])
        go.click(batch, [many, model, threshold], [archive, report, table])
        uploaded.upload(upload, uploaded, model)
    page.lesionseg_folders = [str(work), str(folder)]
    page.lesionseg_temporary = temporary  # removed with the page
    return page


def launch(page: Any, host: str, port: int | None, share: bool = False, **options: Any) -> Any:
    """Serve a page of :func:`build_app`.

    Args:
        page: The page.
        host: Address to bind to; ``127.0.0.1`` serves this machine only.
        port: Port; None for the first free one from 7860 on.
        share: Whether to ask Gradio's servers for a public link.
        options: Further arguments of ``gradio.Blocks.launch``.

    Raises:
        LesionsegError: If the port is in use.
    """
    gr = import_gradio()
    fonts = {"font": ["system-ui", "sans-serif"], "font_mono": ["ui-monospace", "monospace"]}
    try:
        return page.queue(default_concurrency_limit=2).launch(
            server_name=host,
            server_port=port,
            share=share,
            quiet=True,
            ssr_mode=False,
            footer_links=[],
            max_file_size=_MAX_FILE,
            allowed_paths=page.lesionseg_folders,
            theme=gr.themes.Default(**fonts),  # the default's are from Google
            **options,
        )
    except OSError as error:
        if "port" not in str(error):
            raise
        wanted = "all ports from 7860 to 7959 are" if port is None else f"port {port} is"
        raise LesionsegError(f"{wanted} in use; choose another with --port.") from error


def _existing(result: Segmentation | None) -> Segmentation:
    if result is None:
        raise LesionsegError("There is no segmentation yet; choose a photograph first.")
    return result


def _empty() -> tuple[None, None, None, str]:
    return None, None, None, ""


def _shown(result: Segmentation) -> tuple[Image.Image, Image.Image, Image.Image, str]:
    pictures = [result.overlay(), heat(result.probability), heat(result.uncertainty)]
    for picture in pictures:
        picture.thumbnail((_SHOWN, _SHOWN))
    rows = [(name.replace("_", " "), str(value)) for name, value in flat_measures(result).items()]
    if result.confidence is not None:
        rows.append(("confidence", f"{result.confidence:.3f}"))
    if result.review:
        rows.append(("look again", ", ".join(result.review)))
    outline, probability, uncertainty = pictures
    return (
        outline,
        probability,
        uncertainty,
        Table(("measure", "value"), tuple(rows)).render("html"),
    )


def _canvas(result: Segmentation) -> Image.Image:
    """Return the photograph with the outline, on which corrections are painted."""
    picture = result.overlay()
    picture.thumbnail((_CANVAS, _CANVAS))
    return picture
