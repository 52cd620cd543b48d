"""Conversion of names and values to what MLflow accepts."""

from __future__ import annotations

import json
import logging
import re
from collections.abc import Mapping
from typing import Any

from kiwi.utils.dotted import flatten

logger = logging.getLogger(__name__)

LONGEST_NAME, LONGEST_PARAM, LONGEST_TAG = 250, 6000, 5000
"""The maximum lengths that MLflow accepts, in characters."""


def sanitize_name(name: str) -> str:
    """Replace characters that MLflow does not accept by ``_``, and truncate the name to 250 characters.

    Args:
        name: the name of a metric, parameter or tag.
    """
    return re.sub(r"[^\w\-./: ]", "_", name, flags=re.ASCII)[:LONGEST_NAME]


def flatten_params(options: Mapping[str, Any]) -> dict[str, str]:
    """Flatten nested options to parameters with dotted names, text as it is and other values as JSON.

    Args:
        options: the options of a run.
    """
    return {
        name: value if isinstance(value, str) else json.dumps(value, default=str)
        for name, value in flatten(options).items()
    }


def truncate(name: str, value: str, longest: int) -> str:
    """Truncate a value that is too long, and log that.

    Args:
        name: the name of the value, for the log message.
        value: the value.
        longest: the maximum length in characters.
    """
    if len(value) <= longest:
        return value
    logger.info("'%s' has %d characters; MLflow gets the first %d.", name, len(value), longest)
    return value[:longest]
