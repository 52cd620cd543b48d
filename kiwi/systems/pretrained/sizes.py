"""Bounds of the sizes in the configuration of a pretrained model, which are checked before anything is built."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from kiwi.utils.sealed import MEBIBYTE

SIZE = re.compile(r"size|num_|n_|dim|layers|heads|positions|buckets|window", re.IGNORECASE)
"""The names of options that Transformers builds tensors or lists from."""

LARGEST_SIZES = {"num_labels": 2**16, "max_position_embeddings": 2**24}
"""The largest values of options by name: Transformers makes a name for each label."""

LARGEST_SIZE = 2**22
"""The largest value of all other sizes; the largest vocabularies have a million entries."""

LARGEST_CONFIG = 16 * MEBIBYTE


def check_config_sizes(folder: Path) -> None:
    """Check the sizes in the ``config.json`` of a folder, if it has one.

    Args:
        folder: the folder of a pretrained model.

    Raises:
        ValueError: when a size is too large; the message names it.
    """
    file = folder / "config.json"
    if not file.is_file():
        return  # Transformers reports it
    if file.stat().st_size > LARGEST_CONFIG:
        raise ValueError(f"{file}: found {file.stat().st_size} bytes; expected at most {LARGEST_CONFIG}.")
    try:
        content = json.loads(file.read_text(encoding="utf-8"))
    except RecursionError as error:
        raise ValueError(f"{file}: not valid JSON: nested too deeply.") from error
    check_size_options(content if isinstance(content, dict) else {}, file)


def check_size_options(options: Mapping[str, Any], place: Path) -> None:
    """Check the sizes among the options of a pretrained model; see :func:`check_config_sizes`."""
    for name, value in options.items():
        if isinstance(value, Mapping):
            check_size_options(value, place)
        largest = LARGEST_SIZES.get(name, LARGEST_SIZE)
        if isinstance(value, int) and SIZE.search(name) and abs(value) > largest:
            raise ValueError(f"{place}: {name}: found {value}; expected at most {largest}.")
