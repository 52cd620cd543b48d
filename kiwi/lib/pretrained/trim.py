"""Cut the vocabulary of a system's encoder to the pieces that some texts need: ``kiwi trim``.

Vocabulary trimming (Ushio et al. 2023, arXiv:2305.15020): a multilingual encoder has pieces for a hundred languages,
whose embeddings are most of its weights.
"""

from __future__ import annotations

import json
import logging
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch
from tokenizers import Tokenizer
from torch import nn

from kiwi.data.files.lines import stream_lines
from kiwi.data.text.pieces import PieceTokenizer
from kiwi.data.text.vocabulary import parse_tokenizer
from kiwi.data.text.words import words
from kiwi.exceptions import ConfigError
from kiwi.systems.encoders.transformer import TransformerEncoder
from kiwi.systems.pretrained.hub import locate
from kiwi.systems.pretrained.model import Pretrained
from kiwi.systems.qe_system import QESystem
from kiwi.utils.guard import require_new_directory
from kiwi.utils.written import user_path

logger = logging.getLogger(__name__)

SPACE = "\u2581"
"""The sign that stands for a space in the pieces of SentencePiece."""


@dataclass(frozen=True)
class Trimmed:
    """A system whose vocabulary was cut."""

    path: Path
    """The directory of the new checkpoint."""

    n_pieces: int
    """The number of pieces that were kept."""

    n_before: int
    """The number of pieces of the original."""

    n_segments: int
    """The number of segments of the texts."""

    n_changed: int
    """The number of segments that have other pieces than before."""


def trim(
    checkpoint: str | Path, directory: str | Path, texts: Sequence[Path], n_pieces: int, *, overwrite: bool = False
) -> Trimmed:
    """Write a checkpoint whose encoder has fewer pieces, and therefore fewer embeddings.

    Special pieces and single characters are kept, so that any text that had pieces still has some. Then come the pieces
    that are the most frequent in the texts and, if there is room, others in the order of the vocabulary. Pieces keep
    their scores and embeddings, so that text whose pieces are all kept is read as before.

    Args:
        checkpoint: the directory of a checkpoint, or of a run, whose best model is used, or a name on the hub.
        directory: the directory to write atomically; it must not exist, or be empty.
        texts: files with a segment per line, in all languages that the system is for.
        n_pieces: the number of pieces to keep.
        overwrite: whether the directory may replace a checkpoint or an export.

    Raises:
        CheckpointError: when there is no such system.
        ConfigError: when its tokenizer is of another kind than Unigram, it reads the language model of its encoder, or
            the number of pieces is too small or too large.
        DataError: when a file cannot be read.
    """
    directory, path = user_path(directory), locate(checkpoint)
    files = [user_path(file) for file in texts]
    require_new_directory(directory, overwrite=overwrite, reads=[path, *files])
    system = QESystem.load(path)
    encoder = system.encoder
    if not isinstance(encoder, TransformerEncoder):
        raise ConfigError(f"{checkpoint} is a {system.class_name}, which has no pieces. Name a system with an encoder.")
    if encoder.head is not None:
        raise ConfigError(
            f"{checkpoint} reads the language model of its encoder, whose output is a piece. Name a system without "
            "use_mismatch_features and use_predictor_features."
        )
    content = json.loads(encoder.pretrained.tokenizer.to_str())
    model = content["model"]
    if model["type"] != "Unigram":
        raise ConfigError(
            f"{checkpoint}: found a tokenizer of type {model['type']}; only Unigram can be trimmed, since the pieces "
            "of others are merged from each other. Export it with --int4-embeddings instead."
        )
    counts = Counter(index for segment in _segments(files) for word in encoder.pieces.encode(segment) for index in word)
    kept = _kept(encoder.pieces, content, counts, n_pieces, checkpoint)
    tokenizer = parse_tokenizer(json.dumps(_trimmed(content, kept)))
    n_segments, n_changed = _compare(files, encoder.pieces, tokenizer)
    new_ids = {old: new for new, old in enumerate(kept)}
    system.pretrained = _with_pieces(encoder.pretrained, tokenizer, new_ids)
    _cut_embeddings(encoder.body, kept, new_ids)
    if system.data_info.intervals is not None:
        logger.warning("Intervals are left out, since scores may differ. Run: kiwi calibrate %s", directory)
        system.data_info = replace(system.data_info, intervals=None)
    system.save_pretrained(directory, metrics={})
    return Trimmed(directory, len(kept), len(model["vocab"]), n_segments, n_changed)


def _segments(files: Sequence[Path]) -> Iterator[list[str]]:
    return (words(line) for file in files for line in stream_lines(file))


def _kept(
    pieces: PieceTokenizer, content: dict[str, Any], counts: Counter[int], n_pieces: int, name: object
) -> list[int]:
    """Return the pieces to keep, in the order of the vocabulary."""
    vocabulary = [piece for piece, _ in content["model"]["vocab"]]
    special = {token["id"] for token in content["added_tokens"]} | pieces.template.ids | {pieces.pad_id}
    special |= {pieces.unknown_id} | ({pieces.mask_id} if pieces.mask_id is not None else set())
    if beyond := [index for index in special if index >= len(vocabulary)]:
        added = ", ".join(str(pieces.tokenizer.id_to_token(index)) for index in beyond)
        raise ConfigError(
            f"{name}: its tokenizer has special pieces outside of its vocabulary ({added}). Name another."
        )
    single = {index for index, piece in enumerate(vocabulary) if len(piece.replace(SPACE, "")) <= 1}
    needed = special | single
    if not len(needed) <= n_pieces <= len(vocabulary):
        raise ConfigError(
            f"--vocabulary: found {n_pieces}; expected from {len(needed)} (the special pieces and single characters of "
            f"the system) to {len(vocabulary)} (all of its pieces)."
        )
    others = sorted((index for index in range(len(vocabulary)) if index not in needed), key=lambda i: (-counts[i], i))
    return sorted({*needed, *others[: n_pieces - len(needed)]})


def _trimmed(content: dict[str, Any], kept: Sequence[int]) -> dict[str, Any]:
    """Return the JSON of a tokenizer with the pieces that are kept."""
    new_ids = {old: new for new, old in enumerate(kept)}
    model = content["model"]
    trimmed = model | {"vocab": [model["vocab"][index] for index in kept]}
    if model.get("unk_id") is not None:
        trimmed["unk_id"] = new_ids[model["unk_id"]]
    added = [token | {"id": new_ids[token["id"]]} for token in content["added_tokens"]]
    return content | {
        "model": trimmed,
        "added_tokens": added,
        "post_processor": _renumbered(content.get("post_processor"), new_ids),
    }


def _renumbered(content: Any, new_ids: dict[int, int]) -> Any:
    """Return the JSON of a post-processor whose special pieces have new IDs."""
    if isinstance(content, list):
        return [_renumbered(each, new_ids) for each in content]
    if not isinstance(content, dict):
        return content
    renumbered = {name: _renumbered(value, new_ids) for name, value in content.items()}
    if isinstance(content.get("ids"), list):  # a special piece of a template
        renumbered["ids"] = [new_ids[index] for index in content["ids"]]
    for name in ("cls", "sep"):  # of BERT and RoBERTa: a piece and its ID
        if isinstance(content.get(name), list):
            renumbered[name] = [content[name][0], new_ids[content[name][1]]]
    return renumbered


def _compare(files: Sequence[Path], before: PieceTokenizer, tokenizer: Tokenizer) -> tuple[int, int]:
    """Return the number of segments, and of those whose pieces have changed."""
    after = PieceTokenizer(tokenizer, before.room + before.template.length)
    n_segments = n_changed = 0
    for segment in _segments(files):
        n_segments += 1
        old, new = (
            [pieces.tokenizer.id_to_token(index) for word in pieces.encode(segment) for index in word]
            for pieces in (before, after)
        )
        n_changed += old != new
    return n_segments, n_changed


def _with_pieces(pretrained: Pretrained, tokenizer: Tokenizer, new_ids: dict[int, int]) -> Pretrained:
    """Return a description of an encoder with other pieces."""
    config = dict(pretrained.config) | {"vocab_size": len(new_ids)}
    for name, value in config.items():
        if name.endswith("_token_id") and isinstance(value, int):
            config[name] = new_ids.get(value)
    return replace(pretrained, config=config, tokenizer=tokenizer)


def _cut_embeddings(body: Any, kept: Sequence[int], new_ids: dict[int, int]) -> None:
    """Keep the embeddings of some pieces only."""
    old = body.get_input_embeddings()
    new = nn.Embedding(len(kept), old.embedding_dim, padding_idx=new_ids.get(old.padding_idx))
    with torch.no_grad():
        new.weight.copy_(old.weight[torch.tensor(kept)])
    body.set_input_embeddings(new)
    body.config.vocab_size = len(kept)
