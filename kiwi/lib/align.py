"""Align the words of segments, and export the encoder that does it: ``kiwi align``."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from pathlib import Path
from typing import IO

from kiwi import constants as const
from kiwi.data.segments.bad_rows import BadRows
from kiwi.exceptions import ConfigError, DataError
from kiwi.lib.score import CHUNK_SIZE, Input
from kiwi.runner.word_aligner import WordAligner
from kiwi.systems.manifest.aligner import ALIGNER_FILE, AlignerInfo
from kiwi.systems.manifest.checkpoint import LICENCES, TOKENIZER_FILE
from kiwi.utils.guard import Guard, record_written, require_new_directory
from kiwi.utils.imports import needs_extra
from kiwi.utils.io import staged, write_json, write_text
from kiwi.utils.sealed import seal
from kiwi.utils.written import user_name, user_path

logger = logging.getLogger(__name__)

FIELDS = (const.SOURCE, const.TARGET)
"""The fields that are read."""


def check_input(segments: Input) -> None:
    """Check that there is one kind of input, and that no field is given that is not read.

    Raises:
        ConfigError: when options are missing, unknown or incompatible.
    """
    if unread := [name for name in segments.columns if name not in FIELDS]:
        raise ConfigError(f"--columns: found {', '.join(unread)}; words are aligned from {' and '.join(FIELDS)} only.")
    segments.check()


def align_to_file(
    aligner: WordAligner, segments: Input, path: Path, *, overwrite: bool = False, encoder: str | None = None
) -> int:
    """Align like :func:`align`, and write a file atomically.

    Args:
        aligner: the encoder that aligns.
        segments: the input of segments.
        path: the file to write.
        overwrite: whether the file may replace one that kiwi has not written.
        encoder: the folder of the encoder, whose files are never replaced.

    Returns:
        The number of segments.

    Raises:
        ConfigError: when the file is read, or kiwi has not written it.
    """
    Guard(_reads(segments, encoder), overwrite, "--overwrite").check([path])
    with staged(path) as stage, stage.open("w", encoding="utf-8", newline="\n") as file:
        count = align(aligner, segments, file)
    record_written(path)
    return count


def _reads(segments: Input, encoder: str | None) -> list[Path]:
    folder = None if encoder is None else user_path(encoder)
    return [*segments.paths, *([folder] if folder is not None and folder.exists() else [])]


def align(
    aligner: WordAligner, segments: Input, output: IO[str], *, stream: bool = False, encoder: str | None = None
) -> int:
    """Write the word alignments of segments, a line of ``i-j`` pairs for each, in the order of the segments.

    Args:
        aligner: the encoder that aligns, from :func:`kiwi.runner.word_aligner.load_word_aligner`.
        segments: the input of segments.
        output: the stream to write to.
        stream: whether to write the line of each segment before the next segment is read.
        encoder: the folder of the encoder, which the output must not be redirected to.

    Returns:
        The number of segments.

    Raises:
        ConfigError: when options are incompatible.
        DataError: when a segment cannot be used; the message names file and line.
    """
    check_input(segments)
    Guard(_reads(segments, encoder), False, "--overwrite").check_stream(output)
    count = 0
    for lines in _aligned(aligner, segments, 1 if stream else CHUNK_SIZE):
        output.writelines(f"{line}\n" for line in lines)
        output.flush()
        count += len(lines)
    return count


def _aligned(aligner: WordAligner, segments: Input, size: int) -> Iterator[list[str]]:
    # A line for each segment is all that the output has, so that a bad one cannot be marked.
    try:
        for _, _, columns in segments.read(FIELDS, size, BadRows("stop")):
            yield list(aligner.align(columns[const.SOURCE], columns[const.TARGET]))
    except DataError as error:
        if error.line is None or "found an empty" not in error.reason:
            raise
        raise DataError(f"{error} Add the missing side, or remove the segment.") from error


def export_aligner(
    directory: str | Path, encoder: str | None = None, *, layer: int | None = None, int8: bool = False
) -> Path:
    """Write the lower layers of an encoder as an ONNX graph, with which words are aligned without torch.

    Args:
        directory: the directory to write atomically; it must not exist, or be empty.
        encoder: see :func:`kiwi.runner.word_aligner.load_word_aligner`.
        layer: the layer whose states are compared, counted from 1; None is the one in the middle.
        int8: whether to store and multiply weights in 8 bits.

    Returns:
        The directory.

    Raises:
        ConfigError: when the directory is not empty, or the encoder cannot be loaded or exported.
        MissingExtraError: when an extra must be installed; the message names it.
        WriteError: when the directory cannot be written.
    """
    directory = user_path(directory)
    require_new_directory(directory)
    with needs_extra("export", "kiwi align --export"):
        import onnx_ir  # noqa: F401

        from kiwi.runner.torch_states import TorchStates
        from kiwi.systems.onnx.graph import make_states_graph, save_graph
        from kiwi.systems.pretrained.lower_layers import load_lower_layers
    loaded = load_lower_layers(encoder if encoder is None else user_name(encoder), layer)
    states = TorchStates(loaded)
    info = AlignerInfo(loaded.name, loaded.n_layers, states.max_pieces, "int8" if int8 else "fp32")
    with staged(directory) as stage:
        stage.mkdir()
        save_graph(make_states_graph(loaded.layers, info.precision), stage)
        (stage / TOKENIZER_FILE).parent.mkdir()
        write_text(stage / TOKENIZER_FILE, loaded.tokenizer.to_str())
        for name, text in loaded.licences.items():
            write_text(stage / LICENCES / name, text)
        write_json(stage / ALIGNER_FILE, info.to_dict())
        seal(stage)
    logger.info("Wrote %s (%s) to %s", loaded.name, info.precision, directory)
    return directory
