"""The outputs that a configuration of ``kiwi predict`` asks for, and those that the system has."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from kiwi.outputs import OUTPUTS
from kiwi.systems.manifest.export import read_any_info
from kiwi.utils.dotted import flatten, put

logger = logging.getLogger(__name__)

DISTRIBUTION = "sentence_level.use_distribution"


def without_untrained(model: Any, place: Path) -> Any:
    """Return ``system.model`` without outputs that the system was not trained for, with a warning, as in OpenKiwi.

    Args:
        model: the options of ``system.model``, or None.
        place: the directory of the system.
    """
    given = model.get("outputs") if isinstance(model, Mapping) else None
    if not isinstance(given, Mapping):
        return model
    info = read_any_info(place)
    trained = flatten(info.model.get("outputs") or {})
    switches = {spec.switch: spec.name for spec in OUTPUTS.values()}
    kept: dict[str, Any] = {}
    asked, untrained = flatten(given), []
    for key, value in asked.items():
        if key in switches and value is True and switches[key] not in info.outputs:
            untrained.append(f"{key}: true")
        elif key == DISTRIBUTION and asked.get("sentence_level.hter") is not False and value is not trained.get(key):
            untrained.append(f"{key}: {str(value).lower()}")
        else:
            put(kept, key, value)
    if untrained:
        names = ", ".join(info.outputs)
        logger.warning(
            "system.model.outputs: %s was not trained for %s, which is ignored; it predicts %s.",
            place,
            ", ".join(untrained),
            names,
        )
    return {**model, "outputs": kept}
