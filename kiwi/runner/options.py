"""The options of loading a trained system and predicting with it."""

from __future__ import annotations

from collections.abc import Mapping
from numbers import Integral
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import BeforeValidator, Field, field_validator, model_validator
from pydantic.dataclasses import dataclass

from kiwi.data.segments.bad_rows import OnBad
from kiwi.exceptions import ConfigError
from kiwi.utils.structured.strict import STRICT, StrictOptions, as_path
from kiwi.utils.written import user_path

Precision = Literal["32", "bf16", "16", "auto"]

MAX_THREADS = 1024
"""The maximum number of CPU threads, as of the option ``--threads``."""

Size = Annotated[int, Field(ge=1)]
"""A number of segments or tokens."""


@dataclass(frozen=True, config=STRICT)
class PredictOptions(StrictOptions):
    """The options of loading a trained system and predicting.

    Only ``model``, ``precision`` and ``aligner`` affect the results.

    Raises:
        ConfigError: when an option is of another type or out of range, or options are incompatible.
    """

    gpu_id: int | None = None
    """The number of the GPU to compute on; None is the CPU."""

    model: Mapping[str, Any] | None = None
    """A mapping whose ``outputs`` may switch outputs off, as ``system.model`` in ``kiwi predict``."""

    threads: Annotated[int, Field(ge=1, le=MAX_THREADS)] | None = None
    """The number of CPU threads; None means ``OMP_NUM_THREADS``, or all cores that this process may use."""

    precision: Precision = "32"
    """The precision of the computation: ``bf16``, or ``16`` on a GPU, is less exact, and faster where the device
    multiplies it natively; ``auto`` is the fastest that it does."""

    batch_size: Size | None = None
    """The maximum number of segments in a batch; None means no limit other than ``batch_tokens``."""

    batch_tokens: Size | None = None
    """The maximum number of words (pieces, with a pretrained encoder) of source plus target in a batch, padding
    included; None means a number that suits the engine. A longer segment forms a batch by itself."""

    num_data_workers: Annotated[int, Field(ge=0)] = 0
    """The number of batches that a thread prepares ahead; 0 prepares each batch when it is needed."""

    deduplicate: bool = True
    """Whether to compute identical segments only once."""

    on_bad: OnBad = "stop"
    """What :meth:`Runner.predict` does with a segment that cannot be used, such as one with only one side empty:
    ``stop`` raises the error, ``nan`` gives it no score, ``skip`` leaves it out of the predictions."""

    align: bool = True
    """Whether kiwi aligns the words of segments by itself, for systems that read alignments, where none are given."""

    aligner: Annotated[str | Path | None, BeforeValidator(as_path)] = None
    """What aligns them: a directory that ``kiwi align --export`` has written, or an encoder; None is
    multilingual-e5-small, from the packages of the extra ``encoder``."""

    @property
    def paths(self) -> list[Path]:
        """The directory of the aligner, which is read, if it is on this machine."""
        folder = None if self.aligner is None else user_path(self.aligner)
        return [folder] if folder is not None and folder.exists() else []

    def loading_changes(self, loaded: PredictOptions) -> list[str]:
        """Return the names of the options that differ from those that a system was loaded with.

        Args:
            loaded: the options that the system was loaded with.
        """
        default = PredictOptions()
        return [
            name
            for name in ("gpu_id", "model", "threads", "precision", "align", "aligner")
            if (value := getattr(self, name)) != getattr(loaded, name) and value != getattr(default, name)
        ]

    @field_validator("precision", mode="before")
    @classmethod
    def _convert_precision(cls, value: Any) -> Any:
        """Convert 16 and 32 to strings."""
        is_integer = isinstance(value, Integral) and not isinstance(value, bool)
        return str(int(value)) if is_integer and value in (16, 32) else value

    @model_validator(mode="after")
    def _check_aligner(self) -> Self:
        if self.aligner is not None and not self.align:
            raise ConfigError(f"aligner: found {self.aligner}, but align is false. Remove one of the two.")
        return self
