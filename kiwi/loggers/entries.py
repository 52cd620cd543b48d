"""Names and values as MLflow takes them."""

from __future__ import annotations

import json
import logging
import re
from collections.abc import Iterator, Mapping
from typing import Any

logger = logging.getLogger(__name__)

LONGEST_NAME, LONGEST_PARAM, LONGEST_TAG = 250, 6000, 5000
"""Characters that MLflow takes."""


def normalized(name: str) -> str:
    """A name as MLflow takes it: letters, digits and ``_ - . / : space``, 250 at most.

    Args:
        name: of a metric, parameter or tag.
    """
    return re.sub(r"[^\w\-./: ]", "_", name, flags=re.ASCII)[:LONGEST_NAME]


def flattened(params: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, str]]:
    """Dotted names of nested parameters and their values, text as it is and anything else as JSON.

    Args:
        params: by name.
        prefix: before all names.
    """
    for name, value in params.items():
        if isinstance(value, Mapping) and value:
            yield from flattened(value, f"{prefix}{name}.")
        else:
            yield f"{prefix}{name}", value if isinstance(value, str) else json.dumps(value, default=str)


def cut(name: str, value: str, longest: int) -> str:
    """A value no longer than it may be; says so where it was.

    Args:
        name: for the message.
        value: of any length.
        longest: in characters.
    """
    if len(value) <= longest:
        return value
    logger.info("'%s' has %d characters; MLflow gets the first %d.", name, len(value), longest)
    return value[:longest]
