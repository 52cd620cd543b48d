"""Pretrained models of Transformers, from the hub, a folder, or a trained system."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

from tokenizers import Tokenizer

from kiwi.data.text.vocabulary import LARGEST_TOKENIZER, parse_tokenizer
from kiwi.exceptions import CheckpointError, ConfigError, KiwiError
from kiwi.systems.manifest.checkpoint import (
    ENCODER_FILE,
    LICENCES,
    TOKENIZER_FILE,
    Origin,
    read_licences,
)
from kiwi.systems.manifest.export import read_any_info
from kiwi.systems.pretrained.dropout import dropout_options
from kiwi.systems.pretrained.folder import check_folder, check_full_precision, check_sizes
from kiwi.systems.pretrained.hub import ask_hub, is_path, origin_and_licences
from kiwi.systems.pretrained.probes import reason_of
from kiwi.systems.pretrained.sizes import check_config_sizes, check_size_options
from kiwi.systems.pretrained.tokenizer import check_sentencepiece, check_tokenizer
from kiwi.systems.pretrained.tokenizer_files import explain_tokenizer, missing_files
from kiwi.systems.pretrained.tokenizer_of import tokenizer_of
from kiwi.systems.pretrained.weights import HEAD_READERS, check_missing, check_shapes
from kiwi.utils.io import write_json, write_text
from kiwi.utils.sealed import RESTORE, SealedDirectory

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Pretrained:
    """A pretrained model that an encoder is built on."""

    config: dict[str, Any]
    """The configuration of the model, as Transformers writes it."""

    tokenizer: Tokenizer
    """The tokenizer of the model."""

    model_name: str | None = None
    """The name on the hub, or the folder, with the weights; None if a checkpoint has them."""

    origin: Origin | None = None
    """The origin of the model, if known."""

    licences: Mapping[str, str] = field(default_factory=dict)
    """The text of the licence notices that come with the model, by file name."""

    @classmethod
    def from_model(cls, model_name: str) -> Pretrained:
        """Read configuration and tokenizer of a model, from a local folder without network access.

        Raises:
            ConfigError: when the model is not found, or cannot be read.
        """
        from transformers import AutoConfig

        local = Path(model_name).is_dir()
        if not local and is_path(model_name):
            raise ConfigError(
                f"system.model.encoder.model_name: '{model_name}' is not a folder on this machine, nor a name on the "
                "model hub (name, or organization/name). Check the path."
            )
        unanswered = None if local else ask_hub(model_name)
        try:
            if local:
                check_folder(Path(model_name))
            with quiet_transformers():
                offline = local or unanswered is not None
                if local:
                    check_config_sizes(Path(model_name))
                config = AutoConfig.from_pretrained(model_name, local_files_only=offline, trust_remote_code=False)
                content = config.to_dict()
                check_full_precision(content, model_name)
                check_sentencepiece(model_name)
                tokenizer = _load_tokenizer(model_name, config, local=local, offline=offline)
                origin, licences = origin_and_licences(model_name, local=local)
        except KiwiError:
            raise
        except Exception as error:  # several libraries raise various errors
            check_sentencepiece(model_name, str(error))
            tried = "the files of this folder" if local else "a local folder of this name, then the model hub"
            reason = reason_of(error) if unanswered is None else f"{unanswered}."
            advice = (
                "Copy the files of the model again (config.json, its weights and its tokenizer)"
                if local
                else "Without network access, give the folder of a model that was saved with save_pretrained"
            )
            raise ConfigError(
                f"system.model.encoder.model_name: '{model_name}' cannot be loaded. Tried {tried}: {reason} {advice}, "
                "or write one with: kiwi encoder multilingual-e5-small DIR"
            ) from error
        check_tokenizer(tokenizer, content, model_name)
        return cls(content, tokenizer, model_name, origin, licences)

    @classmethod
    def from_checkpoint(cls, path: Path) -> Pretrained:
        """Read configuration and tokenizer from a trained system.

        Raises:
            CheckpointError: when a file is missing or damaged.
        """
        sealed = SealedDirectory.open(path)
        config = sealed.read_json(ENCODER_FILE)
        if not isinstance(config, dict) or not isinstance(config.get("model_type"), str):
            raise CheckpointError(f"{path / ENCODER_FILE}: damaged: found no model_type. {RESTORE}")
        try:
            check_size_options(config, path / ENCODER_FILE)
        except ValueError as error:
            raise CheckpointError(f"damaged checkpoint: {error} {RESTORE}") from error
        try:
            tokenizer = parse_tokenizer(sealed.read_text(TOKENIZER_FILE, LARGEST_TOKENIZER))
        except ValueError as error:
            raise CheckpointError(f"{path / TOKENIZER_FILE}: damaged: {error}. {RESTORE}") from error
        return cls(config, tokenizer, None, read_any_info(path).origin, read_licences(path))

    def save(self, directory: Path) -> None:
        """Write the files that :meth:`from_checkpoint` reads."""
        write_json(directory / ENCODER_FILE, self.config)
        write_text(directory / TOKENIZER_FILE, self.tokenizer.to_str())
        for name, text in self.licences.items():
            write_text(directory / LICENCES / name, text)

    def build_model(self, *, with_head: bool = False, dropout: float | None = None) -> Any:
        """Build the model, with its pretrained weights unless they are in a checkpoint, to be loaded later.

        Args:
            with_head: whether to build its language-modelling head too.
            dropout: the dropout probability in the place of those in its configuration.

        Raises:
            ConfigError: when Transformers does not know the model, or it lacks weights or a head.
        """
        import torch
        import transformers

        auto_model: Any = transformers.AutoModelForMaskedLM if with_head else transformers.AutoModel
        content = {name: value for name, value in self.config.items() if name not in CODE_OPTIONS}
        if dropout is not None:
            content |= dropout_options(content, dropout)
        options: dict[str, Any] = {"dtype": torch.float32, "trust_remote_code": False}
        missing: list[str] = []
        try:
            config = transformers.AutoConfig.for_model(content.pop("model_type"), **content)
            if getattr(config, "attention_type", None) == "block_sparse":
                # Which blocks are read depends on the length of the batch.
                config.attention_type = "original_full"
            # No feature reads the pooler, which is for a pretraining task on the first token.
            if config.model_type in WITH_POOLER and not with_head:
                options["add_pooling_layer"] = False
            with quiet_transformers():
                if self.model_name is None:
                    model = auto_model.from_config(config, **options)
                else:
                    local = Path(self.model_name).is_dir()
                    if local:
                        check_sizes(content, self.model_name, partial(auto_model.from_config, config, **options))
                    # Other shapes are reported instead of raised, since the error does not name them.
                    options |= {"output_loading_info": True, "ignore_mismatched_sizes": True}
                    model, report = auto_model.from_pretrained(
                        self.model_name, config=config, local_files_only=local, **options
                    )
                    check_shapes(report["mismatched_keys"], model, self.model_name)
                    missing = sorted(key for key in report["missing_keys"] if "pooler" not in key)
        except ConfigError:
            raise
        except Exception as error:  # several libraries, and hundreds of model classes, raise various errors
            name = self.model_name or "the checkpoint's encoder"
            what = f"{name} with a language-modelling head ({HEAD_READERS})" if with_head else name
            raise ConfigError(f"system.model.encoder: {what} cannot be built: {reason_of(error)}") from error
        part = _encoder_part(model, with_head=with_head)
        check_missing(part, model, missing, self.config, self.model_name, with_head=with_head)
        return part


def _load_tokenizer(model_name: str, config: Any, *, local: bool, offline: bool) -> Tokenizer:
    """Load the tokenizer of a model, or say what is wrong with the files of a folder."""
    try:
        return tokenizer_of(model_name, config, local=offline)
    except KiwiError:
        raise
    except Exception as error:  # a damaged tokenizer raises bare Exception
        if not local:
            raise
        content, folder = config.to_dict(), Path(model_name)
        if not missing_files(folder, content):
            check_sentencepiece(model_name, str(error))
        raise explain_tokenizer(folder, content, error) from error


def _encoder_part(model: Any, *, with_head: bool) -> Any:
    """Return the encoder of a model that has a decoder too, such as T5, or else the model itself.

    Raises:
        ConfigError: when a head is asked for, which reads the decoder.
    """
    config = model.config
    # The configuration of a T5EncoderModel says that it has no decoder, but AutoModel builds one.
    has_both = hasattr(model, "encoder") and hasattr(model, "decoder")
    if not has_both and not getattr(config, "is_encoder_decoder", False):
        return model
    if with_head:
        raise ConfigError(
            f"system.model.encoder.model_name: the language-modelling head of a {config.model_type} reads its decoder, "
            f"but is required by {HEAD_READERS}. Switch these off."
        )
    encoder = model.get_encoder()
    if encoder is model:
        raise ConfigError(
            f"system.model.encoder.model_name: the encoder of a {config.model_type} cannot be found. Name an encoder."
        )
    return encoder


CODE_OPTIONS = frozenset(
    {
        "_attn_implementation",
        "_experts_implementation",
        "attn_implementation",
        "auto_map",
        "experts_implementation",
        "quantization_config",
        "trust_remote_code",
        "use_kernels",
    }
)
"""Options of a configuration of Transformers that select code to run, local or on the hub; these are ignored."""

WITH_POOLER = ("bert", "roberta", "xlm-roberta", "xlm-roberta-xl", "camembert", "rembert")
"""The model types whose classes take ``add_pooling_layer``."""


@contextmanager
def quiet_transformers() -> Iterator[None]:
    """Hide progress bars and notices of Transformers within this block."""
    from transformers.utils import logging

    theirs: Any = logging
    level, bars = theirs.get_verbosity(), theirs.is_progress_bar_enabled()
    theirs.set_verbosity_error()
    theirs.disable_progress_bar()
    try:
        yield
    finally:
        theirs.set_verbosity(level)
        if bars:
            theirs.enable_progress_bar()
