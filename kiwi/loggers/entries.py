"""Names and values as MLflow takes them."""

from __future__ import annotations

import json
import logging
import re
from collections.abc import Mapping
from typing import Any

from kiwi.utils.dotted import flatten

logger = logging.getLogger(__name__)

LONGEST_NAME, LONGEST_PARAM, LONGEST_TAG = 250, 6000, 5000
"""Characters that MLflow takes."""


def normalized(name: str) -> str:
    """A name as MLflow takes it: letters, digits and ``_ - . / : space``, 250 at most.

    Args:
        name: of a metric, parameter or tag.
    """
    return re.sub(r"[^\w\-./: ]", "_", name, flags=re.ASCII)[:LONGEST_NAME]


def parameters(options: Mapping[str, Any]) -> dict[str, str]:
    """Return nested options as MLflow's parameters: dotted names, text as it is, and other values as JSON.

    Args:
        options: the options of a run.
    """
    return {
        name: value if isinstance(value, str) else json.dumps(value, default=str)
        for name, value in flatten(options).items()
    }


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
