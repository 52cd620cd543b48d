"""Usage statistics of the libraries that kiwi uses, which are off unless the user switches them on."""

from __future__ import annotations

import os

SWITCHES = {
    "ORT_DISABLE_TELEMETRY": "1",
    "HF_HUB_DISABLE_TELEMETRY": "1",
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "RAY_USAGE_STATS_ENABLED": "0",
}
"""The environment variables that switch off the usage statistics of ONNX Runtime, the client of the Hugging Face hub,
MLflow and Ray, which all send some by default. The other libraries send none."""


def switch_off_telemetry() -> None:
    """Switch off usage statistics in this process and those that it starts, except where the user has decided.

    The libraries read the variables when they are imported. Importing kiwi calls this function, so that it precedes
    them in every process: command, pool, worker of a search, of Ray, or of Lightning.
    """
    for name, value in SWITCHES.items():
        os.environ.setdefault(name, value)
