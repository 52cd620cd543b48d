"""Splits raw text into words, and recognizes text whose words are separated already."""

from __future__ import annotations

import unicodedata
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache
from importlib import import_module
from typing import Any, Literal

from kiwi.data.languages import language_of
from kiwi.data.text.joiners import ZERO_WIDTH_JOINER, is_continued
from kiwi.data.text.words import words
from kiwi.exceptions import ConfigError
from kiwi.utils.imports import needs_extra

TokenizerName = Literal["none", "moses", "zh", "ja"]

NAMES: tuple[TokenizerName, ...] = ("none", "moses", "zh", "ja")

LIBRARIES: dict[TokenizerName, tuple[str, ...]] = {
    "none": (),
    "moses": ("sacremoses",),
    "zh": ("jieba",),
    "ja": ("fugashi", "ipadic"),
}

OWN_TOKENIZERS: dict[str, TokenizerName] = {"zh": "zh", "yue": "zh", "ja": "ja"}
"""The tokenizers of languages that are not written with spaces between words."""

WITHOUT_TOKENIZER = frozenset({"th", "lo", "km", "my", "bo", "dz", "shn", "lzh", "ryu"})
"""Other languages that are written without spaces between words."""

UNSPACED_SCRIPTS = ("CJK", "HIRAGANA", "KATAKANA", "THAI", "LAO", "KHMER", "MYANMAR", "TIBETAN")

LONGEST_UNSPACED_WORD = 4.0
"""The mean length in characters up to which the words of a script without spaces are taken for separated."""

LEAST_APART = 0.75
"""The share of punctuation that stands apart in text whose words are taken for separated."""

COMMAS = frozenset(",،、，")
FINAL_MARKS = frozenset(".?!。？！।؟۔…")

STAND_INS = tuple(map(chr, range(0xA000, 0xA48D)))
"""Letters that are put in the place of characters that Moses does not know: those of Yi, which it does."""

LINK = ZERO_WIDTH_JOINER + "."
"""What stands for a joiner with a character behind it."""

SAMPLE = 1000
"""The number of segments by which tokenized text is recognized."""

Tokenize = Callable[[str], list[str]]


@dataclass(frozen=True)
class Tokenizer:
    """A tokenizer of one side, which can be sent to another process."""

    name: TokenizerName

    language: str | None = None
    """The language of the text, whose abbreviations ``moses`` keeps together."""

    why: str = ""
    """The reason why it was chosen."""

    def check(self) -> None:
        """Check that the library of the tokenizer is installed.

        Raises:
            MissingExtraError: when it is not.
        """
        with needs_extra("corpus", f"--tokenizer {self.name}"):
            for library in LIBRARIES[self.name]:
                import_module(library)

    def load(self) -> Tokenize:
        """Return a function that splits a segment into words."""
        return {"none": lambda _: words, "moses": _moses, "zh": _zh, "ja": _ja}[self.name](self.language)


def tokenizer_for(language: str | None, side: str) -> TokenizerName:
    """Return the tokenizer for raw text of a language.

    Args:
        language: the BCP 47 tag of the language.
        side: ``source`` or ``target``.

    Raises:
        ConfigError: when the language is unknown, or has no tokenizer here.
    """
    if language is None:
        raise ConfigError(
            f"--{side}-language: not given, but the {side} looks untokenized; expected its language, such as "
            f"--{side}-language de. If its words are separated by spaces already, give --tokenizer none."
        )
    name = language_of(language)
    if name in WITHOUT_TOKENIZER:
        raise ConfigError(
            f"--{side}-language: found '{language}', for which there is no tokenizer; expected text whose words are "
            "separated by spaces. Separate them with another tool, and give --tokenizer none."
        )
    return OWN_TOKENIZERS.get(name, "moses")


def looks_tokenized(texts: Sequence[str]) -> tuple[bool, str]:
    """Return whether the words of a text are separated by spaces already, and how that was recognized.

    Args:
        texts: some segments.
    """
    letters = "".join(texts)
    unspaced = sum(_script(character) in UNSPACED_SCRIPTS for character in letters)
    if unspaced * 2 > sum(character.isalpha() for character in letters):
        n_words = sum(len(words(text)) for text in texts) or 1
        mean = sum(len(word) for text in texts for word in words(text)) / n_words
        return mean <= LONGEST_UNSPACED_WORD, f"{mean:.1f} characters between spaces in the first segments"
    apart = attached = 0
    for text in texts:
        found = words(text)
        for position, word in enumerate(found, start=1):
            marks = FINAL_MARKS | COMMAS if position == len(found) else COMMAS
            apart += word in marks
            attached += len(word) > 1 and word[-1] in marks
    if not apart + attached:
        return True, "no punctuation in the first segments"
    share = apart / (apart + attached)
    return share > LEAST_APART, f"{share:.0%} of the punctuation of the first segments stands apart"


def choose(given: str, language: str | None, side: str, samples: Sequence[Sequence[str]]) -> Tokenizer:
    """Choose the tokenizer of a side.

    Args:
        given: the name of a tokenizer, or ``auto``.
        language: the BCP 47 tag of the language.
        side: ``source`` or ``target``.
        samples: some segments of each text of the side; all of them get the same tokenizer.

    Raises:
        ConfigError: when the text looks untokenized, and there is no tokenizer for the language; when ``moses`` is to
            split text of an unknown language.
    """
    if given != "auto":
        assert given in NAMES
        if given == "moses" and language is None:
            raise ConfigError(
                f"--{side}-language: not given, but --tokenizer moses splits by the rules of a language; expected it, "
                f"such as --{side}-language de."
            )
        return Tokenizer(given, language, "as given by --tokenizer")
    judged = [looks_tokenized(texts) for texts in samples]
    for is_tokenized, why in judged:
        if not is_tokenized:
            return Tokenizer(tokenizer_for(language, side), language, why)
    return Tokenizer("none", language, judged[0][1])


@cache
def _script(character: str) -> str:
    return unicodedata.name(character, "").partition(" ")[0]


def _moses(language: str | None) -> Tokenize:
    from sacremoses import MosesTokenizer

    tokenizer: Any = MosesTokenizer(lang=language_of(language or "en"))
    known = frozenset(tokenizer.IsAlnum)

    def tokenize(text: str) -> list[str]:
        hidden, characters = _hide(text, known)
        found: list[str] = []
        for word in tokenizer.tokenize(hidden, escape=False):
            # What belongs to a character that is no letter, such as an emoji, is split from it all the same.
            if found and (word[0] in characters or characters.get(found[-1][-1]) == LINK):
                found[-1] += word
            else:
                found.append(str(word))
        if not characters:
            return found
        shown = str.maketrans({letter: character[0] for letter, character in characters.items()})
        return [word.translate(shown) for word in found]

    return tokenize


def _hide(text: str, known: frozenset[str]) -> tuple[str, dict[str, str]]:
    """Put letters in the place of the marks and joiners within words, which Moses would take for punctuation.

    Args:
        text: the text.
        known: the characters that are left to Moses.

    Returns:
        The text, and what each letter stands for: a character, or :data:`LINK`.
    """
    places = [place for place in range(len(text)) if text[place] not in known and is_continued(text, place)]
    if not places:
        return text, {}
    letters = (letter for letter in STAND_INS if letter not in text)
    letter_of: dict[str, str] = {}
    hidden = list(text)
    for place in places:
        character = text[place]
        if character == ZERO_WIDTH_JOINER and not text[place + 1 : place + 2].isspace():
            character = LINK
        if character not in letter_of:
            letter_of[character] = next(letters, text[place])  # a text may have all letters
        hidden[place] = letter_of[character]
    return "".join(hidden), {letter: character for character, letter in letter_of.items()}


def _zh(language: str | None) -> Tokenize:
    import jieba

    tokenizer: Any = jieba.Tokenizer()
    # The dictionary is read here, because jieba would otherwise unmarshal a cache that lies in the temporary directory,
    # where other users may write.
    tokenizer.FREQ, tokenizer.total = tokenizer.gen_pfdict(tokenizer.get_dict_file())
    tokenizer.initialized = True
    return lambda text: [word for word in tokenizer.cut(text) if not word.isspace()]


def _ja(language: str | None) -> Tokenize:
    import fugashi
    import ipadic

    tagger: Any = fugashi.GenericTagger(ipadic.MECAB_ARGS)
    return lambda text: [word for node in tagger(text) for word in words(node.surface) if not word.isspace()]
