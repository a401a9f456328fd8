"""What an exported file says of itself."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, Literal

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
            ValueError: One is missing or not JSON.
        """
        names = cls.__dataclass_fields__
        if missing := [name for name in names if name not in properties]:
            raise ValueError(f"it does not say its {missing[0]}")
        values = {name: json.loads(properties[name]) for name in names}
        height, width = values.pop("size")
        return cls(size=(height, width), classes=tuple(values.pop("classes")), **values)
