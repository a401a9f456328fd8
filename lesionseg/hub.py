"""Trained models on the Hugging Face Hub, through its own client."""

from __future__ import annotations

import re
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType
from typing import Any

from lesionseg._version import __version__
from lesionseg.errors import CheckpointError, LesionsegError
from lesionseg.pretrained import CARD, TRAINED_ON, WEIGHTS, find_pretrained, read_card

_ID = re.compile(r"[\w-][\w.-]*/[\w-][\w.-]*")
_FILES = (".ckpt", ".onnx", ".pt", ".pt2", ".pte", ".pth", ".safetensors", ".yaml")  # of models


def locate_pretrained(source: str | Path) -> Path | None:
    """Return the folder of a trained model, downloaded if it is on the Hugging Face Hub.

    Args:
        source: As for :func:`lesionseg.pretrained.find_pretrained`, which is tried first, or
            ``owner/name`` on the Hub.

    Returns:
        Folder of the model; None if ``source`` is something else, such as a checkpoint.

    Raises:
        CheckpointError: If a folder has no card, or the Hub has no such model or cannot be reached.
        LesionsegError: If ``source`` has the form of a Hub id, and ``huggingface_hub`` is not
            installed.
    """
    folder = find_pretrained(source)
    text = source.as_posix() if isinstance(source, Path) else source
    return download_pretrained(text) if folder is None and is_hub_id(text) else folder


def is_hub_id(source: str) -> bool:
    """Return whether a text has the form of a Hub id, ``owner/name``, and is not a path.

    Example:
        >>> is_hub_id("owner/asnet-lite"), is_hub_id("asnet-lite"), is_hub_id("runs/best.ckpt")
        (True, False, False)
    """
    is_file = source.lower().endswith(_FILES) or Path(source).exists()
    return _ID.fullmatch(source) is not None and not is_file


def hub_id_of(path: Path) -> str | None:
    """Return the Hub id of a file in the cache of the Hub's client; None for any other file.

    Example:
        >>> hub_id_of(Path("hub/models--owner--name/snapshots/0123/model.safetensors"))
        'owner/name'
    """
    kind, *parts = path.parent.parent.parent.name.split("--", 2)
    is_cached = path.parent.parent.name == "snapshots" and kind == "models" and len(parts) == 2
    return "/".join(parts) if is_cached else None


def download_pretrained(hub_id: str, revision: str | None = None) -> Path:
    """Download a model's folder, or find it in the Hub client's cache.

    Args:
        hub_id: ``owner/name``.
        revision: Branch, tag or commit; None takes the newest.

    Returns:
        The folder in the cache. Only the card, the weights in safetensors and the list of training
        ids are downloaded.

    Raises:
        CheckpointError: If there is no such model, it was not saved by lesionseg, or it can be
            neither downloaded nor found in the cache.
        LesionsegError: If ``huggingface_hub`` is not installed.
    """
    absent = f"there is no file or folder {hub_id}"
    client = _client(absent)
    with _errors(hub_id, absent):
        folder = client.snapshot_download(
            hub_id,
            revision=revision,
            allow_patterns=[CARD, WEIGHTS, TRAINED_ON],
            library_name="lesionseg",
            library_version=__version__,
        )
    if not (Path(folder) / CARD).is_file():
        raise CheckpointError(
            f"{hub_id} on the Hugging Face Hub has no {CARD}: it was not saved by lesionseg's "
            "push_to_hub."
        )
    return Path(folder)


def push_to_hub(
    save_pretrained: Callable[[str], Path],
    hub_id: str,
    private: bool | None = None,
    token: str | None = None,
    message: str = "Upload a lesionseg model",
) -> str:
    """Upload a model; see :meth:`~lesionseg.models.SegmentationModule.push_to_hub`.

    Args:
        save_pretrained: Function that writes the model to a folder.
        hub_id: ``owner/name``.
        private: Whether a new repository is private.
        token: Access token.
        message: Message of the commit.
    """
    if _ID.fullmatch(hub_id) is None:
        raise ValueError(f"expected hub_id to be owner/name, got {hub_id!r}")
    problem = f"{hub_id} was not uploaded"
    client = _client(problem)
    with tempfile.TemporaryDirectory() as name:
        folder = save_pretrained(name)
        text = model_card(read_card(folder), hub_id)
        (folder / "README.md").write_text(text, encoding="utf-8")
        api = client.HfApi(token=token, library_name="lesionseg", library_version=__version__)
        with _errors(hub_id, problem):
            api.create_repo(hub_id, private=private, exist_ok=True)
            commit = api.upload_folder(repo_id=hub_id, folder_path=folder, commit_message=message)
    return str(commit.commit_url)


def model_card(card: Mapping[str, Any], hub_id: str) -> str:
    """Write the README of a model on the Hub.

    Args:
        card: Card of the model; see :func:`lesionseg.pretrained.read_card`.
        hub_id: ``owner/name``.

    Returns:
        Markdown whose front matter names the library, the task and the tags.

    Example:
        >>> from lesionseg.pretrained import packaged_card
        >>> print(model_card(packaged_card("asnet-lite"), "owner/asnet-lite"))
        ---
        library_name: lesionseg
        pipeline_tag: image-segmentation
        ...
    """
    network = card["network"]["name"]
    height, width = card["size"]
    lines = [
        "---",
        "library_name: lesionseg",
        "pipeline_tag: image-segmentation",
        "tags:",
        *(f"- {tag}" for tag in ("lesionseg", network, "dermoscopy", "skin-lesion", "medical")),
        "---",
        "",
        f"# {hub_id.partition('/')[2]}",
        "",
        f"A `{network}` network that segments skin lesions in dermoscopy images "
        "(`pip install lesionseg`). Images are resized to "
        f"{height} x {width} pixels (height x width); a pixel is lesion if its probability is "
        f"above {card['threshold']:g}.",
        "",
        "```python",
        "import lesionseg",
        "",
        f'model = lesionseg.from_pretrained("{hub_id}")',
        'result = lesionseg.segment("photo.jpg", model)',
        "```",
        "",
        "For research. It is not a medical device: its masks are not a diagnosis.",
        "",
        f"Trained on {card['trained_on']['images']} images of the ISIC archive, which "
        f"`{TRAINED_ON}` lists; `lesionseg test` refuses to score the model on any of them.",
    ]
    return "\n".join(lines) + "\n"


def _client(problem: str) -> ModuleType:
    try:
        import huggingface_hub
    except ImportError as error:
        raise LesionsegError(
            f"{problem}; models on the Hugging Face Hub need its client: pip install "
            '"lesionseg[hub]".'
        ) from error
    return huggingface_hub


@contextmanager
def _errors(hub_id: str, problem: str) -> Iterator[None]:
    """Convert the errors of the client to sentences that start with the problem."""
    from huggingface_hub import errors

    try:
        yield
    except errors.RepositoryNotFoundError as error:
        raise CheckpointError(
            f"{problem}, and there is no model {hub_id} on the Hugging Face Hub that you may use; "
            "check the name, or log in with: hf auth login."
        ) from error
    except errors.RevisionNotFoundError as error:
        raise CheckpointError(f"{hub_id} on the Hugging Face Hub has no such revision.") from error
    except errors.HFValidationError as error:
        raise CheckpointError(f"{hub_id} is not a valid id of a model: {error}") from error
    except errors.HfHubHTTPError as error:
        status = getattr(error.response, "status_code", None)
        fix = "log in with: hf auth login" if status in (401, 403) else "try again later"
        raise CheckpointError(
            f"the Hugging Face Hub refused {hub_id} (status {status}); {fix}."
        ) from error
    except Exception as error:
        # Of the connection: not OSErrors where the client uses httpx, which it does not export.
        kinds = (errors.LocalEntryNotFoundError, errors.OfflineModeIsEnabled, OSError)
        names = {kind.__name__ for kind in type(error).__mro__}
        if not isinstance(error, kinds) and "TransportError" not in names:
            raise
        raise CheckpointError(
            f"{problem}: the Hugging Face Hub cannot be reached for the model {hub_id}; connect to "
            "the network, or check the name."
        ) from error
