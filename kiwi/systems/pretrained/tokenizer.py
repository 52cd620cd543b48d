"""Checks of the tokenizer of a pretrained model, before anything is trained with it."""

from __future__ import annotations

import logging
import re
from collections.abc import Mapping, Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from tokenizers import Tokenizer

from kiwi.data.text.patterns import check_patterns
from kiwi.data.text.pieces import PieceTokenizer
from kiwi.data.text.words import words
from kiwi.exceptions import ConfigError, MissingExtraError
from kiwi.systems.pretrained.tokenizer_files import tokenizer_advice

logger = logging.getLogger(__name__)

OPTION = "system.model.encoder.model_name"

TOKENIZER_FILES = ("tokenizer.json", "vocab.txt", "vocab.json")
"""Files of tokenizers that are read without SentencePiece."""

SENTENCEPIECE = ("sentencepiece", "google.protobuf")
"""The libraries that read the files of SentencePiece."""

SMALLEST_SHARE = 0.5
"""The smallest number of entries of a tokenizer, as a share of the number of embeddings of its model."""

UNKNOWN_SHARE, UNKNOWN_NOTED = 0.9, 0.3
"""The shares of unknown pieces that are refused, and warned of."""

N_PROBES = 1000
"""The maximum number of entries, of words, or of segments with which a tokenizer is probed."""


def check_sentencepiece(model_name: str, reason: str = "") -> None:
    """Check that the libraries are installed that the tokenizer of a model may need.

    Args:
        model_name: the name of the model on the hub, or a local folder.
        reason: the reason why its tokenizer could not be loaded; by default, only a folder is looked at.

    Raises:
        MissingExtraError: when a library is not installed and the tokenizer needs it.
    """
    folder = Path(model_name)
    files = [file.name for file in folder.glob("*.model")] if folder.is_dir() else []
    needed = bool(files) and not any((folder / name).is_file() for name in TOKENIZER_FILES)
    if not needed and not re.search("sentencepiece|tiktoken|protobuf", reason, re.IGNORECASE):
        return
    missing = [name.replace("google.", "") for name in SENTENCEPIECE if not _is_installed(name)]
    if missing:
        what = f"{files[0]}, a file of SentencePiece" if files else "files of SentencePiece"
        raise MissingExtraError(
            f"{OPTION}: '{model_name}' has its tokenizer in {what}. Reading it needs {' and '.join(missing)}, not "
            "installed here. Install the extra 'sentencepiece': in a clone of kiwi, run pip install '.[sentencepiece]'"
        )


def _is_installed(name: str) -> bool:
    try:
        return find_spec(name) is not None
    except (ImportError, ValueError):
        return False


def check_tokenizer(tokenizer: Tokenizer, config: Mapping[str, Any], model_name: str) -> None:
    """Check that a tokenizer is that of its model, and gives words pieces of their own.

    Args:
        tokenizer: the tokenizer.
        config: the configuration of the model.
        model_name: the name of the model on the hub, or its local folder.

    Raises:
        ConfigError: when it has far fewer entries than the model has embeddings, knows next to nothing of its own
            entries, joins words over spaces, or has a regular expression that backtracks without end.
    """
    place = f"{OPTION}: '{model_name}'"
    n_entries, n_embeddings = tokenizer.get_vocab_size(), config.get("vocab_size")
    if isinstance(n_embeddings, int) and n_entries < SMALLEST_SHARE * n_embeddings:
        raise ConfigError(
            f"{place}: found {n_entries} entries in its tokenizer and {n_embeddings} embeddings in the model, so that "
            f"most words would be unknown. {_advice(config, model_name)}"
        )
    try:
        check_patterns(tokenizer)
        pieces = PieceTokenizer(tokenizer, 512)
    except ValueError as error:
        raise ConfigError(f"{place}: {error}.") from error
    entries = _sample(sorted(tokenizer.get_vocab(with_added_tokens=False), key=len), N_PROBES)
    texts = [text for entry in entries if (text := _text(entry)) and " " not in text]
    n_unknown, n_pieces = pieces.count_unknown([text] for text in texts)
    share = n_unknown / max(n_pieces, 1)
    if share > UNKNOWN_SHARE:
        raise ConfigError(
            f"{place}: found {share:.0%} unknown pieces where its tokenizer reads {len(texts)} of its own entries. "
            f"{_advice(config, model_name)}"
        )
    _check_joined(tokenizer, pieces, place)


def _check_joined(tokenizer: Tokenizer, pieces: PieceTokenizer, place: str) -> None:
    """Reject a tokenizer with pieces of several words, as far as texts have them."""
    texts = (_text(entry) for entry in tokenizer.get_vocab() if "\u2581" in entry or "\u0120" in entry or " " in entry)
    joined = _sample(sorted({text for text in texts if re.search(r"\S \S", text)}), N_PROBES)
    mismatch = pieces.words.first_mismatch(text.split(" ") for text in joined if "  " not in text)
    if mismatch is not None:
        raise ConfigError(
            f"{place}: its tokenizer joins words over spaces ({mismatch}), so that words have no pieces of their own. "
            "Name another encoder."
        )


def check_text(pieces: PieceTokenizer, columns: Mapping[str, Sequence[str]], model_name: object) -> None:
    """Check that a tokenizer knows the text that it is used for, by an even sample of it.

    Args:
        pieces: the tokenizer.
        columns: segments by the name of the side.
        model_name: the name of the model, for the message.

    Raises:
        ConfigError: when nearly all pieces of a side are unknown.
    """
    for side, column in columns.items():
        segments = [words(line) for line in _sample(column, N_PROBES)]
        n_unknown, n_pieces = pieces.count_unknown(segments)
        share = n_unknown / max(n_pieces, 1)
        message = f"{OPTION}: the tokenizer of '{model_name}' does not know {share:.0%} of the pieces of the {side}"
        if share > UNKNOWN_SHARE:
            raise ConfigError(
                f"{message}, in {len(segments)} segments. Name an encoder for this language, with the files of its "
                "tokenizer beside it."
            )
        if share > UNKNOWN_NOTED:
            logger.warning("%s: an encoder for this language would read more of it.", message)


def _text(entry: str) -> str:
    """Return the text of an entry of a vocabulary, without the marks of spaces and of parts of words."""
    text = entry.removeprefix("##").removesuffix("</w>").replace("\u2581", " ").replace("\u0120", " ").strip(" ")
    return "" if text.isspace() or re.fullmatch(r"<.*>|\[.*\]", text) else text


def _sample(entries: Sequence[str], n: int) -> list[str]:
    """Return up to ``n`` entries, evenly spaced."""
    return list(entries[:: max(1, -(-len(entries) // n))])


def _advice(config: Mapping[str, Any], model_name: str) -> str:
    folder = Path(model_name)
    return tokenizer_advice(config, folder) if folder.is_dir() else "Name a model with a tokenizer of its own."
