"""Word alignments that kiwi makes by itself, for systems that read them, where none are given."""

from __future__ import annotations

import logging
from collections.abc import Sequence

from kiwi import constants as const
from kiwi.data.collate import Row
from kiwi.exceptions import ConfigError, MissingExtraError
from kiwi.runner.options import PredictOptions
from kiwi.runner.word_aligner import WordAligner, load_word_aligner

logger = logging.getLogger(__name__)


class AutoAligner:
    """Aligns the words of segments for a system; the encoder is loaded when it is first needed, and once.

    Args:
        class_name: the class of the system that reads the alignments.
        options: how the system is loaded.
    """

    def __init__(self, class_name: str, options: PredictOptions) -> None:
        self.class_name = class_name
        self.options = options
        self.announces = True
        """Whether to log that kiwi aligns."""
        self._aligner: WordAligner | None = None

    def load(self) -> WordAligner:
        """Return the aligner, which the first call loads.

        Raises:
            ConfigError: when kiwi is not to align, or the encoder cannot be loaded.
            CheckpointError: when an exported encoder is damaged.
            MissingExtraError: when the encoder is not installed.
        """
        if self._aligner is not None:
            return self._aligner
        if not self.options.align:
            raise switched_off(self.class_name)
        try:
            self._aligner = load_word_aligner(
                self.options.aligner, gpu_id=self.options.gpu_id, threads=self.options.threads
            )
        except ConfigError as error:
            raise ConfigError(f"aligner: {error}") from error
        except MissingExtraError as error:
            raise MissingExtraError(
                f"This system ({self.class_name}) reads alignments, which are not given, and kiwi cannot align by "
                f"itself: {error} Or name an aligner (--aligner, aligner), a directory that `kiwi align --export` has "
                "written, which needs no torch. Or give alignments."
            ) from error
        if self.announces:
            announce(self.class_name, self._aligner.engine.name)
        return self._aligner

    def add(self, rows: Sequence[Row]) -> list[Row]:
        """Return rows with their alignments."""
        lines = self.load().align([row[const.SOURCE] for row in rows], [row[const.TARGET] for row in rows])
        return [row | {const.ALIGNMENTS: line} for row, line in zip(rows, lines, strict=True)]


def announce(class_name: str, encoder: str) -> None:
    """Log that kiwi aligns: a warning, because a system may have learned from alignments of another kind."""
    logger.warning(
        "%s reads alignments, and none are given: kiwi aligns the words by itself, with %s.", class_name, encoder
    )


def switched_off(class_name: str) -> ConfigError:
    """Return the error for alignments that are neither given nor made."""
    return ConfigError(
        f"This system ({class_name}) reads alignments, which are not given, and kiwi does not align (--no-align, "
        "align: false). Give alignments, such as `kiwi align` writes, or let kiwi align: remove that option."
    )
