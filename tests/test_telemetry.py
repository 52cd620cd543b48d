from __future__ import annotations

import json
import os
import subprocess
import sys

import pytest

from kiwi import _TELEMETRY as SWITCHES

PROGRAM = "import kiwi, json, os; print(json.dumps(dict(os.environ)))"


@pytest.mark.parametrize("chosen", [{}, {"ORT_DISABLE_TELEMETRY": "0"}, {"RAY_USAGE_STATS_ENABLED": "1"}])
def test_importing_kiwi_switches_telemetry_off_unless_the_user_has_decided(chosen: dict[str, str]) -> None:
    before = {name: value for name, value in os.environ.items() if name not in SWITCHES} | chosen
    done = subprocess.run([sys.executable, "-c", PROGRAM], env=before, capture_output=True, text=True, check=True)
    after = json.loads(done.stdout)
    assert {name: after[name] for name in SWITCHES} == SWITCHES | chosen


def test_the_libraries_read_these_variables() -> None:
    """A new version may have other switches."""
    program = """
import kiwi, huggingface_hub.constants, json, mlflow.telemetry.utils, ray._common.usage.usage_lib as usage
print(json.dumps([huggingface_hub.constants.HF_HUB_DISABLE_TELEMETRY, mlflow.telemetry.utils.is_telemetry_disabled(),
                  not usage.usage_stats_enabled()]))
"""
    before = {name: value for name, value in os.environ.items() if name not in SWITCHES}
    before = {name: value for name, value in before.items() if not name.startswith(("PYTEST", "CI"))}
    done = subprocess.run([sys.executable, "-W", "ignore", "-c", program], env=before, capture_output=True, text=True)
    assert json.loads(done.stdout.splitlines()[-1]) == [True, True, True], done.stderr
