"""What a new system starts from: a pretrained model, vocabularies, and the encoder of another system."""

from __future__ import annotations

import logging
from pathlib import Path

from torch import Tensor

from kiwi import constants as const
from kiwi.data.files.lines import Columns
from kiwi.data.text.vocabulary import Vocabulary, build_vocabularies
from kiwi.systems.config.architectures import ARCHITECTURES
from kiwi.systems.config.qe import QESystemConfig, vocabulary_fields
from kiwi.systems.encoders.base import Encoder
from kiwi.systems.exported import read_trained_info, read_trained_vocabularies, read_trained_weights
from kiwi.systems.pretrained.model import Pretrained

logger = logging.getLogger(__name__)


def starting_model(config: QESystemConfig) -> Pretrained | None:
    """Return the pretrained model that a new encoder is built on, if it is built on one.

    Args:
        config: the resolved configuration.
    """
    assert config.class_name is not None
    if not ARCHITECTURES[config.class_name].encoder.uses_pretrained:
        return None
    options = config.model.encoder
    if "interleave_input" in options.model_fields_set and not options.interleave_input:
        logger.info(
            "system.model.encoder.interleave_input: false is ignored. Source and target are packed all the same, since "
            "padding between them would make results depend on the batch."
        )
    if config.load_encoder is not None:
        return Pretrained.from_checkpoint(config.load_encoder)
    return Pretrained.from_model(options.model_name)


def starting_vocabularies(config: QESystemConfig, columns: Columns) -> dict[str, Vocabulary]:
    """Return the vocabularies of a new system: those of the system it starts from, or of the training data.

    Args:
        config: the resolved configuration.
        columns: the training data.
    """
    assert config.class_name is not None
    fields = vocabulary_fields(config.class_name, config.model)
    if stored := config.load_encoder or config.load_vocabs:
        vocabularies = read_trained_vocabularies(stored, fields)
    else:
        text: dict[str, list[str]] = {field: columns[field] for field in fields}
        if config.model.tlm_outputs.fine_tune and fields:  # post-edits are in the target language
            text[const.TARGET] = [*text[const.TARGET], *columns[const.POST_EDIT]]
        vocabularies = build_vocabularies(text, fields, config.data_processing)
    for field, vocabulary in vocabularies.items():
        logger.info("Vocabulary of %s: %d entries.", field, len(vocabulary))
    return vocabularies


def encoder_weights(path: Path, encoder: Encoder) -> dict[str, Tensor]:
    """Return the weights of a trained system's encoder; those of layers above a pretrained model only where they fit.

    Args:
        path: the trained system.
        encoder: the encoder that they are for.

    Raises:
        CheckpointError: when the system is missing or damaged.
    """
    weights = read_trained_weights(path, read_trained_info(path))
    stored = {name.removeprefix("encoder."): own for name, own in weights.items() if name.startswith("encoder.")}
    own, optional = encoder.state_dict(), encoder.optional_parts
    has_head = any(name.startswith("head.") for name in own)
    fitting = {
        name: weight
        for name, weight in stored.items()
        if (has_head or not name.startswith("head."))
        and (not name.startswith(optional) or (name in own and own[name].shape == weight.shape))
    }
    if new := sorted(name for name in own.keys() - fitting.keys() if name.startswith(optional)):
        logger.info("%s has no weights that fit %s; these are newly initialized.", path, ", ".join(new))
    return fitting
