"""Metadata of exported files."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, Literal, get_args

from lesionseg._moved import RenamedAttribute, renamed_arguments
from lesionseg.data.io.decoding import MOST_PIXELS
from lesionseg.inference.regions import POST_PROCESSINGS, PostProcessing

InputType = Literal["float", "uint8"]

_OLD_NAMES = {"recipe": "provenance", "licence": "license"}  # of version 0.1


@dataclass(frozen=True)
class ExportMetadata:
    """Metadata of an exported file.

    Attributes:
        size: (height, width) to resize images to.
        threshold: A pixel is lesion if its probability is above this.
        input: ``"float"`` for RGB in [0, 1], ``"uint8"`` for RGB from 0 to 255.
        provenance: Network with its arguments, class and hyperparameters of the model, and epochs.
        license: License of the weights, as given at the export.
        version: Version of lesionseg.
        quantization: None, or ``"int8"``.
        classes: Names of the output's channels.
        postprocess: Post-processing of the mask; see
            :func:`~lesionseg.inference.regions.post_process`.

    Example:
        >>> from lesionseg.inference import ExportMetadata
        >>> metadata = ExportMetadata(size=(192, 256), threshold=0.5)
        >>> metadata.to_properties()["size"]
        '[192, 256]'
        >>> ExportMetadata.from_properties(metadata.to_properties()) == metadata
        True
    """

    size: tuple[int, int]
    threshold: float
    input: InputType = "float"
    provenance: dict[str, Any] = field(default_factory=dict)
    license: str = ""
    version: str = ""
    quantization: str | None = None
    classes: tuple[str, ...] = ("lesion",)
    postprocess: PostProcessing = "none"

    recipe = RenamedAttribute("provenance")
    licence = RenamedAttribute("license")

    def to_properties(self) -> dict[str, str]:
        """Return each attribute as JSON text, for formats that store named strings."""
        return {name: json.dumps(value) for name, value in asdict(self).items()}

    @classmethod
    def from_properties(cls, properties: Mapping[str, str]) -> ExportMetadata:
        """Read the result of :meth:`to_properties`; other properties are ignored.

        Raises:
            ValueError: If a property is missing, is not JSON, or has a wrong type or value.
        """
        names = cls.__dataclass_fields__
        for old, name in _OLD_NAMES.items():
            if name not in properties and old in properties:
                properties = {**properties, name: properties[old]}
        properties = {"postprocess": '"none"', **properties}  # version 0.1 had none
        if missing := [name for name in names if name not in properties]:
            raise ValueError(f"expected the property {missing[0]}, got none")
        values = {name: json.loads(properties[name]) for name in names}
        check_use(values["size"], values["threshold"])
        if values["input"] not in get_args(InputType):
            raise ValueError(f"expected input to be float or uint8, got {values['input']!r}")
        if values["postprocess"] not in POST_PROCESSINGS:
            raise ValueError(
                f"expected postprocess to be one of {', '.join(POST_PROCESSINGS)}, "
                f"got {values['postprocess']!r}"
            )
        if values["classes"] != ["lesion"]:
            raise ValueError(f"expected classes to be ['lesion'], got {values['classes']!r}")
        height, width = values.pop("size")
        return cls(size=(height, width), classes=tuple(values.pop("classes")), **values)


ExportMetadata.__init__ = renamed_arguments(**_OLD_NAMES)(ExportMetadata.__init__)  # type: ignore[method-assign]


def check_use(size: object, threshold: object) -> None:
    """Check the size and the threshold that are stored with a network.

    Args:
        size: Height and width in pixels, two positive integers.
        threshold: A float between 0 and 1.

    Raises:
        ValueError: If one of them is anything else, or there are more than 200 million pixels.
    """
    if not (
        isinstance(size, list | tuple)
        and len(size) == 2
        and all(type(side) is int and side > 0 for side in size)
        and size[0] * size[1] <= MOST_PIXELS
    ):
        raise ValueError(f"expected size to be two positive integers, got {size!r}")
    if not (isinstance(threshold, float) and 0 < threshold < 1):
        raise ValueError(f"expected threshold to be between 0 and 1, got {threshold!r}")
