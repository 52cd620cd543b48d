"""Where the graph of an exported system has the weights of its checkpoint, so that it can be trained further."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

MOST_VALUES = 4096
"""The maximum number of weights that are stored as values, over all tensors of a system."""


@dataclass(frozen=True)
class StoredWeights:
    """Where the graph of an exported system has each tensor of its weights, by the tensor's name.

    The name of an initializer is the one that it has before quantization; see :mod:`kiwi.systems.exported`.
    """

    initializers: dict[str, str] = field(default_factory=dict)
    """The initializers that are a tensor of the weights."""

    transposed: dict[str, str] = field(default_factory=dict)
    """The initializers that are the transpose of a matrix of the weights."""

    values: dict[str, Any] = field(default_factory=dict)
    """Small tensors that the graph has only as part of other constants, as nested lists of numbers."""

    lost: tuple[str, ...] = ()
    """Larger tensors that the graph has only as part of other constants, or not at all; with any of them, the system
    cannot be restored."""

    def to_dict(self) -> dict[str, Any]:
        """Return plain values, for JSON."""
        plain: dict[str, Any] = dict(vars(self))
        return plain | {"lost": list(self.lost)}

    @classmethod
    def from_dict(cls, content: Mapping[str, Any]) -> StoredWeights:
        """Invert :meth:`to_dict`; raises various errors for invalid content."""
        names: dict[str, dict[str, str]] = {}
        for key in ("initializers", "transposed"):
            own = content[key]
            if not isinstance(own, dict) or not all(isinstance(name, str) for name in own.values()):
                raise TypeError(f"weights.{key} is {own!r:.80}; expected names by name")
            names[key] = own
        values, lost = content["values"], content["lost"]
        if not isinstance(values, dict) or not isinstance(lost, list):
            raise TypeError("weights.values and weights.lost: expected a mapping and a list")
        return cls(**names, values=values, lost=tuple(map(str, lost)))
