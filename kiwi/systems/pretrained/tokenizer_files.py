"""The files of the tokenizer in a local folder, and what is wrong with them when it cannot be loaded."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tokenizers import Tokenizer

from kiwi.data.text.spelling import run_tokenizer
from kiwi.exceptions import ConfigError
from kiwi.systems.pretrained.folder import MODEL_OPTION, VOCABULARY_FILE
from kiwi.systems.pretrained.probes import reason_of

NEEDED_FILES = {"xlm": ("vocab.json", "merges.txt")}
"""The files that the tokenizer of a model type cannot do without."""

JSON_FILES = ("tokenizer.json", "tokenizer_config.json", "special_tokens_map.json", "added_tokens.json", "vocab.json")
"""The files of tokenizers that are objects of JSON."""


def explain_tokenizer(folder: Path, config: Mapping[str, Any], error: Exception) -> ConfigError:
    """Return an error that says which file of a tokenizer is missing or damaged.

    Args:
        folder: the folder of the model.
        config: the configuration of the model.
        error: the error that loading the tokenizer has raised.
    """
    place = f"{MODEL_OPTION}: '{folder}' cannot be loaded"
    advice = tokenizer_advice(config, folder)
    missing = missing_files(folder, config)
    if missing:
        found = f"no {' and no '.join(missing)}"
        return ConfigError(f"{place}: found {found}; expected the files of its tokenizer. {advice}")
    for name in JSON_FILES:
        if (damage := _damage(folder / name)) is not None:
            return ConfigError(f"{place}: {folder / name}: {damage}. The file is damaged. {advice}")
    return ConfigError(f"{place}: its tokenizer cannot be read: {reason_of(error)} {advice}")


def missing_files(folder: Path, config: Mapping[str, Any]) -> list[str]:
    """Return what a folder lacks to have a tokenizer; empty if nothing is known to be missing."""
    if needed := NEEDED_FILES.get(str(config.get("model_type"))):
        return [name for name in needed if not (folder / name).is_file()]
    names = (file.name for file in folder.iterdir() if file.is_file())
    return [] if any(VOCABULARY_FILE.fullmatch(name) for name in names) else ["tokenizer.json", "other vocabulary"]


def tokenizer_advice(config: Mapping[str, Any], folder: Path) -> str:
    """Return how to complete the tokenizer in the folder of a model, after a list of the files that are there."""
    files = ", ".join(sorted(file.name for file in folder.iterdir() if file.is_file()))
    return (
        f"The folder has {files[:300]}. Copy the tokenizer's files of the model ({config.get('model_type')}) into it, "
        "or save the model's own tokenizer there with save_pretrained (tokenizer.json, tokenizer_config.json)."
    )


def _damage(file: Path) -> str | None:
    """Return what is wrong with a file of JSON, or None if nothing is, or if it is not there."""
    if not file.is_file():
        return None
    try:
        content = json.loads(file.read_text(encoding="utf-8"))
    except json.JSONDecodeError as error:
        found = f"text that is not JSON at line {error.lineno}, column {error.colno}" if error.doc else "an empty file"
        return f"found {found}; expected JSON"
    except (ValueError, RecursionError) as error:
        return f"found text that is not JSON ({type(error).__name__}); expected JSON"
    if not isinstance(content, dict):
        return f"found JSON of the type {type(content).__name__}; expected an object"
    if file.name != "tokenizer.json":
        return None
    if "model" not in content:
        return "found no 'model'; expected a tokenizer of the library 'tokenizers'"
    try:
        run_tokenizer(lambda: Tokenizer.from_file(str(file)))
    except ValueError as error:
        return f"found a tokenizer that the library 'tokenizers' cannot read ({str(error)[:200].rstrip('.')})"
    return None
