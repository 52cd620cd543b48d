"""What the configuration of a run warns of."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kiwi.lib.train import Configuration
from kiwi.lib.train.config import check_run
from kiwi.systems.qe_system import QESystem

if TYPE_CHECKING:
    from pathlib import Path

    import pytest

    from tests.conftest import Options

SCORE = "system.model.outputs.sentence_level"


def test_a_warning_appears_once(options: Options, caplog: pytest.LogCaptureFixture) -> None:
    Configuration.from_dict(options({SCORE: {"hter": False, "use_distribution": True}}))
    assert [message.split()[0] for message in caplog.messages] == ["sentence_level.use_distribution"]


def test_verdicts_that_no_output_learns_from(
    options: Options, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "verdicts").write_text("OK\n" * 40)
    for is_on in (True, False):
        changes = {f"{SCORE}.binary": is_on, "data.train.output.binary": str(tmp_path / "verdicts")}
        changes |= {"data.valid.output.binary": str(tmp_path / "verdicts")}
        config = Configuration.from_dict(options(changes))
        check_run(QESystem, config.system, config)
        assert ("data.train.output.binary is not read" in caplog.text) == (not is_on)
