"""What ``kiwi score --manifest`` writes: the meaning of the scores, the system, and what was counted."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from kiwi import __version__, constants as const
from kiwi.data.flags import FLAGS
from kiwi.lib.score.scale import Scale
from kiwi.runner.engine import AboutSystem
from kiwi.utils.staging import staged


@dataclass
class Manifest:
    """What was scored by which system, and what the scores mean."""

    about: AboutSystem | None = None
    """The system."""

    scale: Scale = field(default_factory=Scale)
    """The scale of the scores."""

    columns: Sequence[str] = ()
    """The columns or fields that were written."""

    places: Collection[str] | None = None
    """The columns that the format has a place for; None for all."""

    n_segments: int = 0
    """The number of segments, bad ones included."""

    n_without_target: int = 0
    """The number of units without a translation, which have no score."""

    flags: Counter[str] = field(default_factory=Counter)
    """The number of segments with each flag."""

    has_flags: bool = False
    """Whether flags were looked for."""

    def count(self, columns: Iterable[str], n_segments: int, flags: Iterable[Sequence[str]] | None) -> None:
        """Take the next segments.

        Args:
            columns: the columns of the estimates.
            n_segments: the number of segments.
            flags: the flags of each of them; None if they were not looked for.
        """
        self.columns = self.columns or [name for name in columns if self.places is None or name in self.places]
        self.n_segments += n_segments
        if flags is not None:
            self.has_flags = True
            for found in flags:
                self.flags.update(found)

    def write(self, path: Path, model: str | Path, n_bad: int) -> None:
        """Write the manifest as JSON.

        Args:
            path: the file.
            model: the system, as it was named.
            n_bad: the number of bad segments.
        """
        assert self.about is not None
        about = self.about
        counts = {"segments": self.n_segments, "bad": n_bad, "without_target": self.n_without_target}
        content: dict[str, Any] = {
            "kiwi": __version__,
            "score": self.scale.describe() if const.SENTENCE_SCORES in about.outputs else None,
            "scale": "0-100" if self.scale.is_common else "own",
            "system": {
                "name": str(model),
                "class_name": about.class_name,
                "sha256": about.sha256,
                **({"export_sha256": about.export_sha256} if about.export_sha256 else {}),
                "precision": about.precision,
                "outputs": list(about.outputs),
            },
            "columns": list(self.columns),
            "counts": counts | ({"flags": {name: self.flags[name] for name in FLAGS}} if self.has_flags else {}),
        }
        with staged(path) as stage:
            stage.write_text(json.dumps(content, ensure_ascii=False, indent=2) + "\n", encoding="utf-8")
