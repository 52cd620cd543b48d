"""Checks the regular expressions of a tokenizer; doubtful ones are tried in a process that can be killed."""

from __future__ import annotations

import json
import math
import re
import subprocess
import sys
from collections.abc import Iterator
from typing import Any

from tokenizers import Tokenizer

SECONDS = 1.0
"""The time within which an expression must split a text of a few thousand characters."""

TIMEOUT = 30.0
"""The time limit in seconds for all texts and expressions, the start of the process included."""

LARGEST_GROWTH = 1000
"""The maximum factor by which all replacements together may lengthen a text."""

KNOWN = frozenset(
    {
        # GPT-2
        r"'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+",
        # Llama 3, and Qwen 2
        *(
            r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+"
            rf"|{number}| ?[^\s\p{{L}}\p{{N}}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
            for number in (r"\p{N}{1,3}", r"\p{N}")
        ),
    }
)
"""Expressions of widely used tokenizers, which are not tried."""


def check_patterns(tokenizer: Tokenizer) -> None:
    """Check that the patterns of a tokenizer neither take unreasonably long on a text nor multiply its length.

    Raises:
        ValueError: when one does; the message has the pattern.
    """
    parts = [json.loads(part.__getstate__()) for part in (tokenizer.normalizer, tokenizer.pre_tokenizer) if part]
    if (growth := math.prod(_growths(parts))) > LARGEST_GROWTH:
        raise ValueError(f"the replacements of its normalizer may make a text {growth:.0f} times as long")
    doubtful = [pattern for pattern in sorted(set(_patterns(parts))) if not _is_harmless(pattern)]
    if not doubtful:
        return
    tried = ""
    try:
        done = subprocess.run(
            [sys.executable, "-c", PROGRAM],
            input=json.dumps([[pattern, _texts(pattern)] for pattern in doubtful]),
            capture_output=True,
            encoding="utf-8",
            timeout=TIMEOUT,
        )
        tried = done.stdout
    except subprocess.TimeoutExpired as error:
        output = error.stdout or b""
        tried = output.decode() if isinstance(output, bytes) else output
    times = [float(line) for line in tried.splitlines()]
    for index, pattern in enumerate(doubtful):
        if index >= len(times) or times[index] > SECONDS:
            raise ValueError(
                f"the regular expression {pattern[:200]} of its tokenizer takes more than {SECONDS:.0f} s on a short "
                "text, since it backtracks. Write it without nested repetitions, or use another encoder"
            )


def _patterns(content: Any) -> Iterator[str]:
    if isinstance(content, dict):
        if isinstance(content.get("Regex"), str):
            yield content["Regex"]
        for value in content.values():
            yield from _patterns(value)
    elif isinstance(content, list):
        for value in content:
            yield from _patterns(value)


def _growths(content: Any) -> Iterator[float]:
    """Yield the factor by which each replacement may lengthen a text."""
    if isinstance(content, dict):
        if content.get("type") == "Replace":
            replaced = content["pattern"].get("String") or " "
            yield max(1.0, len(content["content"]) / len(replaced))
        for value in content.values():
            yield from _growths(value)
    elif isinstance(content, list):
        for value in content:
            yield from _growths(value)


def _is_harmless(pattern: str) -> bool:
    """Return whether an expression is known, or repeats at most one thing, and no group."""
    repeated = re.findall(r"[*+{]", re.sub(r"\\[pP]\{", "", pattern))
    return pattern in KNOWN or ("(" not in pattern and len(repeated) <= 1)


def _texts(pattern: str) -> list[str]:
    """Return texts of many equal parts, on which expressions that have such parts backtrack."""
    letters = [*dict.fromkeys(re.sub(r"\\.|[^\w .,:;'-]", "", pattern))][:40]
    units = dict.fromkeys([*letters, *"aA1 .-'é中\u0301", "ab", "a1", "a ", "a.", "".join(letters[:8])])
    # A text without the literals that an expression asks for is rejected before anything backtracks.
    ends = ("", "!", "\u0001", f"!{''.join(letters)}", f"\u0001{''.join(reversed(letters))}:")
    return [unit * n + end for n in (30, 2000) for unit in units if unit for end in ends]


PROGRAM = """
import json, sys, time
from tokenizers import Regex, pre_tokenizers
for pattern, texts in json.load(sys.stdin):
    split = pre_tokenizers.Split(Regex(pattern), "isolated")
    slowest = 0.0
    for text in texts:
        start = time.perf_counter()
        split.pre_tokenize_str(text)
        slowest = max(slowest, time.perf_counter() - start)
        if slowest > 1:
            break
    print(slowest, flush=True)
"""
"""The program that tries expressions, and prints the longest time of each. Where an expression panics, it ends."""
