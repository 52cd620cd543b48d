"""The metadata of an exported encoder that aligns words, read with neither torch nor ONNX."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from kiwi import __version__
from kiwi.exceptions import CheckpointError
from kiwi.systems.manifest.export import Precision
from kiwi.utils.sealed import RESTORE, SUMS_FILE, SealedDirectory

ALIGNER_FILE = "aligner.json"
"""The file of the metadata."""

ALIGNER_VERSION = 1
"""The format version that is written and read."""


@dataclass(frozen=True)
class AlignerInfo:
    """The metadata of an exported encoder that aligns words."""

    encoder: str
    """The name of the encoder."""

    layer: int
    """The layer whose states are compared."""

    max_pieces: int
    """The maximum length of a sequence, special pieces included."""

    precision: Precision

    def to_dict(self) -> dict[str, Any]:
        """Return the content of the metadata file."""
        return {"format_version": ALIGNER_VERSION, "kiwi_version": __version__, **asdict(self)}


def is_exported_aligner(path: Path) -> bool:
    """Return whether there is an exported encoder for alignments at a path."""
    try:
        return (path / ALIGNER_FILE).is_file()
    except OSError:
        return False  # reading it will report the error


def read_aligner_info(path: Path) -> tuple[AlignerInfo, SealedDirectory]:
    """Read the metadata of an exported encoder, and open its files.

    Raises:
        CheckpointError: when it is damaged, or of a format version that is not supported.
    """
    file = path / ALIGNER_FILE
    sealed = SealedDirectory.open(path)
    if sealed.sums is None:
        raise CheckpointError(f"{path}: damaged: found no {SUMS_FILE}. {RESTORE}")
    content = sealed.read_json(ALIGNER_FILE)
    version = content.get("format_version") if isinstance(content, dict) else None
    if version != ALIGNER_VERSION:
        raise CheckpointError(
            f"{file}: found format version {version}; this kiwi ({__version__}) reads version {ALIGNER_VERSION}. Write "
            "it again with: kiwi align --export DIRECTORY"
        )
    kinds: dict[str, type] = {"encoder": str, "layer": int, "max_pieces": int, "precision": str}
    for name, kind in kinds.items():
        if not isinstance(content.get(name), kind) or isinstance(content[name], bool):
            raise CheckpointError(f"{file}: damaged: found {name}: {content.get(name)!r}. {RESTORE}")
    if content["precision"] not in ("fp32", "int8") or not 4 <= content["max_pieces"] <= 2**20:
        raise CheckpointError(f"{file}: damaged: found an unknown precision or length. {RESTORE}")
    return AlignerInfo(**{name: content[name] for name in kinds}), sealed
