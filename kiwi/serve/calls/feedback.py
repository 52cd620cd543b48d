"""Feedback: what people have made of translations, in files of JSON Lines."""

from __future__ import annotations

import fcntl
import os
import time
from pathlib import Path

from kiwi.data.files.table_writers import json_line
from kiwi.data.labels.policy import DECISION, REASON
from kiwi.exceptions import ConfigError
from kiwi.serve.registry import ServedModel
from kiwi.serve.schemas import FeedbackRequest


def check_directory(directory: Path) -> None:
    """Check before the first feedback that it can be stored.

    Args:
        directory: the directory of the files, which is made.

    Raises:
        ConfigError: when it cannot be written to.
    """
    reason = "it cannot be written to"
    try:
        directory.mkdir(parents=True, exist_ok=True)
        is_writable = os.access(directory, os.W_OK | os.X_OK)
    except FileExistsError:
        is_writable, reason = False, "it is no directory"
    except OSError as error:
        is_writable, reason = False, error.strerror or reason
    if not is_writable:
        raise ConfigError(f"--feedback: found {directory}, but {reason}. Choose a directory that kiwi may write to.")


def store_feedback(directory: Path, request: FeedbackRequest, served: ServedModel) -> int:
    """Append the segments of a request to the file of the day, whole or not at all.

    Args:
        directory: the directory of the files.
        request: the feedback.
        served: the model that scored the segments.

    Returns:
        The number of segments.
    """
    now = time.gmtime()
    common = {"time": time.strftime("%Y-%m-%dT%H:%M:%SZ", now), "model": served.name, "sha256": served.sha256}
    if request.policy is not None:
        common["policy"] = request.policy
    # kiwi route update reads the decision and its reason, which are null where they are not known.
    always = dict.fromkeys((DECISION, REASON))
    lines = [json_line(always | segment.model_dump(exclude_none=True) | common) + "\n" for segment in request.segments]
    directory.mkdir(parents=True, exist_ok=True)
    path = directory / time.strftime("feedback-%Y-%m-%d.jsonl", now)
    with path.open("ab", buffering=0) as file:
        fcntl.flock(file, fcntl.LOCK_EX)  # several processes write to it
        size, content = file.seek(0, 2), memoryview("".join(lines).encode("utf-8"))
        try:
            while content:
                content = content[file.write(content) or 0 :]
        except OSError:
            file.truncate(size)
            raise
    return len(lines)
