"""What an exported file says of itself."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, Literal, get_args

from lesionseg.data.io.decoding import MOST_PIXELS

InputType = Literal["float", "uint8"]


@dataclass(frozen=True)
class ExportMetadata:
    """What stands in an exported file beside the weights.

    Attributes:
        classes: What the channels of the output are the probability of.
        size: (height, width) that images are resized to before they are fed.
        threshold: A pixel is lesion where its probability exceeds this.
        input: ``"float"`` for RGB in [0, 1], ``"uint8"`` for RGB from 0 to 255.
        recipe: Network and its arguments, and the model's class and hyperparameters.
        licence: Of the weights, as whoever exported them says.
        version: Of lesionseg.
        quantization: None, or ``"int8"``.
    """

    size: tuple[int, int]
    threshold: float
    input: InputType = "float"
    recipe: dict[str, Any] = field(default_factory=dict)
    licence: str = ""
    version: str = ""
    quantization: str | None = None
    classes: tuple[str, ...] = ("lesion",)

    def to_properties(self) -> dict[str, str]:
        """One JSON text for each attribute, for formats that keep named strings."""
        return {name: json.dumps(value) for name, value in asdict(self).items()}

    @classmethod
    def from_properties(cls, properties: Mapping[str, str]) -> ExportMetadata:
        """Reads what :meth:`to_properties` wrote; strings of other names do not matter.

        Raises:
            ValueError: One is missing, not JSON, or has another type or range than it should.
        """
        names = cls.__dataclass_fields__
        if missing := [name for name in names if name not in properties]:
            raise ValueError(f"it does not say its {missing[0]}")
        values = {name: json.loads(properties[name]) for name in names}
        check_use(values["size"], values["threshold"])
        if values["input"] not in get_args(InputType):
            raise ValueError(f"expected the input float or uint8, got {values['input']!r}")
        if values["classes"] != ["lesion"]:
            raise ValueError(f"expected the one class lesion, got {values['classes']!r}")
        height, width = values.pop("size")
        return cls(size=(height, width), classes=tuple(values.pop("classes")), **values)


def check_use(size: object, threshold: object) -> None:
    """Check how a stored network says that it is to be used.

    Args:
        size: Should be two whole numbers of pixels, height and width.
        threshold: Should be a number between 0 and 1.

    Raises:
        ValueError: If one is anything else, or there are more than 200 million pixels.
    """
    if not (
        isinstance(size, list | tuple)
        and len(size) == 2
        and all(type(side) is int and side > 0 for side in size)
        and size[0] * size[1] <= MOST_PIXELS
    ):
        raise ValueError(f"expected a size of two positive whole numbers, got {size!r}")
    if not (isinstance(threshold, float) and 0 < threshold < 1):
        raise ValueError(f"expected a threshold between 0 and 1, got {threshold!r}")
