"""Vocabularies, which map words to indices with Hugging Face ``tokenizers`` and are built from a corpus."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from pydantic import PositiveInt, model_validator
from tokenizers import Tokenizer
from tokenizers.models import WordLevel
from tokenizers.trainers import WordLevelTrainer

from kiwi import constants as const
from kiwi.data.text.embeddings import PretrainedEmbeddingsConfig, embedding_words
from kiwi.data.text.patterns import check_patterns
from kiwi.data.text.spelling import run_tokenizer
from kiwi.data.text.words import words
from kiwi.exceptions import CheckpointError
from kiwi.utils.io import BaseConfig, did_you_mean, write_json
from kiwi.utils.sealed import MEBIBYTE, SealedDirectory

logger = logging.getLogger(__name__)

PAD, UNKNOWN, BEGIN, END = "<pad>", "<unk>", "<bos>", "<eos>"
SPECIALS = (PAD, UNKNOWN, BEGIN, END)
PAD_INDEX, UNKNOWN_INDEX, BEGIN_INDEX, END_INDEX = range(len(SPECIALS))

VOCABULARY_FILE = "vocab.json"

LARGEST_TOKENIZER = 512 * MEBIBYTE
"""The maximum size of a file of vocabularies or of a tokenizer, in bytes."""


class SideSizes(BaseConfig):
    """A number for each side."""

    source: PositiveInt | None = None
    """Value for the source."""

    target: PositiveInt | None = None
    """Value for the target and the post-edit."""


class VocabularyConfig(BaseConfig):
    """Options that select the words of a vocabulary."""

    min_frequency: PositiveInt | SideSizes = 1
    """Minimum number of occurrences of a word in the training data, as one value or one for each side."""

    max_size: PositiveInt | SideSizes | None = None
    """Maximum number of words, of which the most frequent are kept, as one value or one for each side. If unset, there
    is no limit."""

    keep_rare_words_with_embeddings: bool = False
    """Whether to keep words of the training data that have a pretrained embedding, however rare they are. Without
    ``embeddings``, it has no effect, and kiwi warns."""

    add_embeddings_vocab: bool = False
    """Whether to add all words of the pretrained embeddings, including those that are not in the training data."""


class DataProcessingConfig(BaseConfig):
    """Options for turning text into numbers."""

    share_input_fields_encoders: bool = False
    """Whether source, target and post-edit share one vocabulary."""

    vocab: VocabularyConfig = VocabularyConfig()
    """Selection of the words of the vocabularies."""

    embeddings: PretrainedEmbeddingsConfig | None = None
    """Files of pretrained word embeddings."""

    @model_validator(mode="after")
    def check_shared_sizes(self) -> DataProcessingConfig:
        """Reject different sizes for the sides of a shared vocabulary."""
        for option in ("min_frequency", "max_size"):
            if self.share_input_fields_encoders and isinstance(getattr(self.vocab, option), SideSizes):
                raise ValueError(
                    f"vocab.{option}: found a value for each side; expected one value, because "
                    "share_input_fields_encoders is on"
                )
        return self

    @model_validator(mode="after")
    def check_embeddings(self) -> DataProcessingConfig:
        """Reject words of pretrained embeddings when there are none."""
        if self.vocab.add_embeddings_vocab and self.embeddings is None:
            raise ValueError(
                "vocab.add_embeddings_vocab requires pretrained embeddings; set embeddings, or switch it off"
            )
        return self


class Vocabulary:
    """A mapping of words to indices, in which unknown words have the index of ``<unk>``.

    The first four entries are ``<pad>``, ``<unk>``, ``<bos>`` and ``<eos>``.

    Args:
        tokenizer: a word-level tokenizer whose vocabulary starts with these entries.
    """

    def __init__(self, tokenizer: Tokenizer) -> None:
        self.tokenizer = tokenizer
        self._indices: dict[str, int] = tokenizer.get_vocab()

    @classmethod
    def of(cls, entries: Iterable[str]) -> Vocabulary:
        """Return a vocabulary of these words, in this order, after the special entries."""
        indices = {word: index for index, word in enumerate(dict.fromkeys((*SPECIALS, *entries)))}
        return cls(Tokenizer(WordLevel(indices, unk_token=UNKNOWN)))

    @classmethod
    def build(
        cls,
        lines: Iterable[str],
        *,
        min_frequency: int = 1,
        max_size: int | None = None,
        keep: Iterable[str] = (),
        add: Iterable[str] = (),
    ) -> Vocabulary:
        """Return a vocabulary of the words of a corpus, most frequent first, with ties in code point order.

        Args:
            lines: the segments, which are iterated over twice.
            min_frequency: the minimum number of occurrences of a word.
            max_size: the maximum number of words; None means no limit.
            keep: words to keep if the corpus has them, however rare they are.
            add: words to add even if the corpus does not have them.
        """
        trainer = WordLevelTrainer(
            min_frequency=min_frequency,
            vocab_size=len(SPECIALS) + max_size if max_size else 2**31,
            special_tokens=list(SPECIALS),
            show_progress=False,
        )
        tokenizer = Tokenizer(WordLevel(unk_token=UNKNOWN))
        tokenizer.train_from_iterator((words(line) for line in lines), trainer)
        found = tokenizer.get_vocab()
        entries = sorted(found, key=found.__getitem__)
        if keep := set(keep):
            entries += sorted(keep.intersection(word for line in lines for word in words(line)))
        return cls.of([*entries, *sorted(add)])

    def __len__(self) -> int:
        return len(self._indices)

    def __contains__(self, word: str) -> bool:
        return word in self._indices

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Vocabulary) and self._indices == other._indices

    __hash__ = None  # type: ignore[assignment]

    def encode(self, segment: Sequence[str]) -> list[int]:
        """Return the index of each word."""
        get = self._indices.get
        return [get(word, UNKNOWN_INDEX) for word in segment]

    @property
    def entries(self) -> list[str]:
        """All entries, in the order of their indices."""
        return sorted(self._indices, key=self._indices.__getitem__)

    def to_dict(self) -> dict[str, Any]:
        """Return the tokenizer in Hugging Face's format."""
        content: dict[str, Any] = json.loads(self.tokenizer.to_str())
        return content

    @classmethod
    def from_dict(cls, content: Mapping[str, Any]) -> Vocabulary:
        """Create a vocabulary from the result of :meth:`to_dict`.

        Raises:
            ValueError: when the content is not a word-level tokenizer with the special entries first.
        """
        vocabulary = cls(parse_tokenizer(json.dumps(content)))
        if not isinstance(vocabulary.tokenizer.model, WordLevel):
            found = type(vocabulary.tokenizer.model).__name__
            raise ValueError(f"found a tokenizer of type {found}; expected WordLevel")
        if tuple(vocabulary.entries[: len(SPECIALS)]) != SPECIALS:
            raise ValueError(f"its first entries are not {', '.join(SPECIALS)}")
        if set(vocabulary._indices.values()) != set(range(len(vocabulary))):
            raise ValueError("its indices have gaps")
        return vocabulary


def parse_tokenizer(text: str) -> Tokenizer:
    """Parse the JSON of a tokenizer.

    Raises:
        ValueError: when it is not a tokenizer, or one that takes unreasonably long on some texts.
    """
    try:
        tokenizer: Tokenizer = run_tokenizer(lambda: Tokenizer.from_str(text))
    except ValueError as error:
        raise ValueError(f"not a tokenizer: {error}") from error
    check_patterns(tokenizer)
    return tokenizer


Vocabularies = dict[str, Vocabulary]
"""The vocabulary of each field."""


def build_vocabularies(
    columns: Mapping[str, Sequence[str]], fields: Sequence[str], config: DataProcessingConfig
) -> Vocabularies:
    """Build the vocabularies of the fields that a system reads.

    Args:
        columns: the training data.
        fields: the text fields, which may include ``post_edit``, ``source_pos`` and ``target_pos``.
        config: the options of the vocabularies.

    Raises:
        DataError: when a file of embeddings cannot be read.
    """
    shared = (const.SOURCE, const.TARGET, const.POST_EDIT) if config.share_input_fields_encoders else ()
    groups = [[field for field in fields if field in shared], *([field] for field in fields if field not in shared)]
    vocabularies: Vocabularies = {}
    vocab = config.vocab
    if vocab.keep_rare_words_with_embeddings and config.embeddings is None:  # in OpenKiwi's own configurations
        logger.warning("system.data_processing.vocab.keep_rare_words_with_embeddings has no effect without embeddings.")
    for group in filter(None, groups):
        pretrained: set[str] = set()
        if config.embeddings and (vocab.keep_rare_words_with_embeddings or vocab.add_embeddings_vocab):
            for field in group:
                pretrained |= embedding_words(config.embeddings, field)
        vocabulary = Vocabulary.build(
            _ConcatenatedColumns([columns[field] for field in group]),
            min_frequency=_size_for(vocab.min_frequency, group[0]) or 1,
            max_size=_size_for(vocab.max_size, group[0]),
            keep=pretrained if vocab.keep_rare_words_with_embeddings else (),
            add=pretrained if vocab.add_embeddings_vocab else (),
        )
        vocabularies.update(dict.fromkeys(group, vocabulary))
    return vocabularies


class _ConcatenatedColumns:
    """The lines of several columns, which can be iterated over repeatedly and are not copied into memory."""

    def __init__(self, columns: Sequence[Sequence[str]]) -> None:
        self._columns = columns

    def __iter__(self) -> Iterator[str]:
        return (line for column in self._columns for line in column)


def _size_for(value: int | SideSizes | None, field: str) -> int | None:
    if isinstance(value, SideSizes):
        return value.source if field in (const.SOURCE, const.SOURCE_POS) else value.target
    return value


def save_vocabularies(vocabularies: Mapping[str, Vocabulary], directory: Path) -> None:
    """Write ``vocab.json``, which has the tokenizer of each field."""
    fields = {field: vocabulary.to_dict() for field, vocabulary in vocabularies.items()}
    write_json(directory / VOCABULARY_FILE, {"version": 1, "fields": fields})


def load_vocabularies(path: Path, fields: Sequence[str]) -> Vocabularies:
    """Read the vocabularies of a checkpoint.

    Args:
        path: a ``vocab.json`` file, or its directory.
        fields: the required fields.

    Raises:
        CheckpointError: when the file is missing, is damaged, or lacks a field.
    """
    file = path / VOCABULARY_FILE if path.is_dir() else path
    sealed = SealedDirectory.open(file.parent)
    if path == file and file.name not in (sealed.sums or ()):
        sealed = SealedDirectory(file.parent, None)  # a copy, which is not part of the files beside it
    content = sealed.read_json(file.name, LARGEST_TOKENIZER)
    try:
        version, stored = content["version"], dict(content["fields"])
    except (ValueError, KeyError, TypeError) as error:
        raise CheckpointError(f"{file}: not a file of vocabularies ({error!r}).") from error
    if version != 1:
        raise CheckpointError(f"{file}: found version {version} of the vocabulary format; expected version 1.")
    vocabularies = {}
    for field in fields:
        if field not in stored:
            raise CheckpointError(f"{file}: no vocabulary for '{field}'; {did_you_mean(field, stored)}")
        try:
            vocabularies[field] = Vocabulary.from_dict(stored[field])
        except ValueError as error:
            raise CheckpointError(f"{file}: the vocabulary of '{field}' is damaged: {error}.") from error
    return vocabularies
