"""What the configuration of a run warns of."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kiwi.lib.train import Configuration

if TYPE_CHECKING:
    import pytest

    from tests.conftest import Options

SCORE = "system.model.outputs.sentence_level"


def test_a_warning_appears_once(options: Options, caplog: pytest.LogCaptureFixture) -> None:
    Configuration.from_dict(options({SCORE: {"hter": False, "use_distribution": True}}))
    assert [message.split()[0] for message in caplog.messages] == ["sentence_level.use_distribution"]
