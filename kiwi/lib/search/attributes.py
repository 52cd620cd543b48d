"""Attributes that a search adds to its study and to each trial, by the names that they have there."""

from __future__ import annotations

SEARCH = "search"
"""Attribute of the study: the fingerprint of the search."""

MLFLOW_PARENT = "mlflow_parent"
"""Attribute of the study: the id of its run in MLflow."""

MLFLOW_RUN = "run_id"
"""Attribute of a trial: the id of its run in MLflow."""

CONFIGURATION = "configuration"
"""Attribute of a trial: its training configuration, without the output directory."""

OWNER = "worker"
"""Attribute of a trial: the worker that runs it."""

HEARTBEAT = "beat"
"""Attribute of a trial: a value that its worker changes every few seconds."""

DEATHS = "deaths"
"""Attribute of a trial: how many processes in a row died while they ran it, without a new validation in between."""

VALIDATIONS_AT_DEATH = "validations_at_death"
"""Attribute of a trial: how many validations it had reported when a process last died."""

REASON = "reason"
"""Attribute of a trial: why it failed."""
