"""Pretrained models of Hugging Face: from the hub, from a folder, or from a trained system."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from safetensors import SafetensorError
from tokenizers import Tokenizer

from kiwi.data.text.vocabulary import LARGEST_TOKENIZER, parse_tokenizer
from kiwi.exceptions import CheckpointError, ConfigError
from kiwi.systems.manifest.checkpoint import (
    ENCODER_FILE,
    LICENCES,
    TOKENIZER_FILE,
    Origin,
    read_checkpoint_info,
    read_licences,
)
from kiwi.systems.pretrained.hub import origin_and_licences
from kiwi.utils.io import write_json, write_text
from kiwi.utils.sealed import RESTORE, SealedDirectory

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Pretrained:
    """What an encoder is built on."""

    config: dict[str, Any]
    """The model's configuration, as Transformers writes it."""

    tokenizer: Tokenizer
    """Of the model."""

    model_name: str | None = None
    """Hub name or folder that has the weights; None when a checkpoint has them."""

    origin: Origin | None = None
    """Where the model comes from, as far as it is known."""

    licences: Mapping[str, str] = field(default_factory=dict)
    """Licence notices that come with the model: name to text."""

    @classmethod
    def from_model(cls, model_name: str) -> Pretrained:
        """Configuration and tokenizer of a model; a local folder asks no network.

        Raises:
            ConfigError: when it cannot be had.
        """
        from transformers import AutoConfig

        local = Path(model_name).is_dir()
        try:
            with quiet_transformers():
                config = AutoConfig.from_pretrained(model_name, local_files_only=local, trust_remote_code=False)
                tokenizer = _tokenizer(model_name, config, local=local)
                origin, licences = origin_and_licences(model_name, local=local)
        except Exception as error:  # a damaged tokenizer raises bare Exception
            tried = "the files of this folder" if local else "a local folder of this name, then the model hub"
            reason = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
            raise ConfigError(
                f"system.model.encoder.model_name: '{model_name}' cannot be had. Tried {tried}: {reason} Without a "
                "network, give the folder of a model that was saved with save_pretrained, or write one with: "
                "kiwi encoder multilingual-e5-small DIR"
            ) from error
        return cls(config.to_dict(), tokenizer, model_name, origin, licences)

    @classmethod
    def from_checkpoint(cls, path: Path) -> Pretrained:
        """What a trained system carries.

        Raises:
            CheckpointError: when a file is not there or damaged.
        """
        sealed = SealedDirectory.open(path)
        config = sealed.read_json(ENCODER_FILE)
        if not isinstance(config, dict) or not isinstance(config.get("model_type"), str):
            raise CheckpointError(f"{path / ENCODER_FILE}: damaged: found no model_type. {RESTORE}")
        try:
            tokenizer = parse_tokenizer(sealed.read_text(TOKENIZER_FILE, LARGEST_TOKENIZER))
        except ValueError as error:
            raise CheckpointError(f"{path / TOKENIZER_FILE}: damaged: {error}. {RESTORE}") from error
        return cls(config, tokenizer, None, read_checkpoint_info(path).origin, read_licences(path))

    def save(self, directory: Path) -> None:
        """Write what :meth:`from_checkpoint` reads."""
        write_json(directory / ENCODER_FILE, self.config)
        write_text(directory / TOKENIZER_FILE, self.tokenizer.to_str())
        for name, text in self.licences.items():
            write_text(directory / LICENCES / name, text)

    def build_model(self, *, with_head: bool = False) -> Any:
        """The model, with its pretrained weights, or with fresh ones when a checkpoint will bring them.

        Args:
            with_head: whether to build its language-modelling head too.

        Raises:
            ConfigError: when the model is not an encoder that Transformers knows, or has no such head.
        """
        import torch
        import transformers

        auto_model: Any = transformers.AutoModelForMaskedLM if with_head else transformers.AutoModel
        # Where code of the model is, or how it is run, is no part of what a model is.
        content = {name: value for name, value in self.config.items() if name not in SAYS_HOW}
        try:
            config = transformers.AutoConfig.for_model(content.pop("model_type"), **content)
            # A pooler reads the first token for a task of the pretraining; no feature here does.
            takes_pooler = config.model_type in WITH_POOLER and not with_head
            options = {"add_pooling_layer": False} if takes_pooler else {}
            with quiet_transformers():
                if self.model_name is None:
                    return auto_model.from_config(config, dtype=torch.float32, trust_remote_code=False, **options)
                local = Path(self.model_name).is_dir()
                model, report = auto_model.from_pretrained(
                    self.model_name,
                    dtype=torch.float32,
                    local_files_only=local,
                    output_loading_info=True,
                    trust_remote_code=False,
                    **options,
                )
        except (OSError, ValueError, KeyError, TypeError, RuntimeError, SafetensorError) as error:
            name = self.model_name or "the checkpoint's encoder"
            what = f"{name} with a language-modelling head ({HEAD_READERS})" if with_head else name
            raise ConfigError(f"system.model.encoder: {what} cannot be built: {error}") from error
        missing = sorted(key for key in report["missing_keys"] if "pooler" not in key)
        base = {f"{model.base_model_prefix}.{name}" for name in model.base_model.state_dict()}
        if with_head and missing and not base.intersection(missing):
            raise ConfigError(
                f"system.model.encoder.model_name: '{self.model_name}' has no language-modelling head (no "
                f"'{missing[0]}'), which is needed for {HEAD_READERS}. Switch these off, or name a model with its head."
            )
        if missing:
            raise ConfigError(
                f"system.model.encoder.model_name: '{self.model_name}' lacks {len(missing)} weights of a "
                f"{config.model_type}, such as '{missing[0]}'; they would be random. Save the model again with "
                "save_pretrained."
            )
        return model


SAYS_HOW = frozenset(
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
"""Of a configuration of Transformers: what names code to run, here or on the hub."""

HEAD_READERS = "use_mismatch_features, use_predictor_features, tlm_outputs.fine_tune"
"""Options that read the language-modelling head of a model."""

WITH_POOLER = ("bert", "roberta", "xlm-roberta", "xlm-roberta-xl", "camembert", "rembert")
"""Model types whose classes take ``add_pooling_layer``."""


def _tokenizer(model_name: str, config: Any, *, local: bool) -> Tokenizer:
    from transformers import AutoTokenizer
    from transformers.utils.hub import cached_file

    if config.model_type == "xlm":
        vocabulary, merges = (
            Path(str(cached_file(model_name, name, local_files_only=local))) for name in ("vocab.json", "merges.txt")
        )
        return xlm_tokenizer(vocabulary, merges, lowercase=config.n_langs <= XLM_LOWERCASE_LANGUAGES)
    tokenizer = AutoTokenizer.from_pretrained(model_name, local_files_only=local, trust_remote_code=False)
    backend = getattr(tokenizer, "backend_tokenizer", None)
    if backend is None:
        raise ValueError(f"its tokenizer, {type(tokenizer).__name__}, is not one of the library 'tokenizers'.")
    return Tokenizer.from_str(backend.to_str())


XLM_LOWERCASE_LANGUAGES = 15
"""XLM models of up to 15 languages were trained on lowercase text without accents, those of 17 and 100 were not."""


def xlm_tokenizer(vocabulary: Path, merges: Path, *, lowercase: bool) -> Tokenizer:
    """The tokenizer of XLM, which Transformers has in Python only, on the library ``tokenizers``.

    Args:
        vocabulary: ``vocab.json``.
        merges: ``merges.txt``.
        lowercase: whether text is lowercased and stripped of accents.
    """
    from tokenizers import normalizers, pre_tokenizers, processors
    from tokenizers.models import BPE

    indices: dict[str, int] = json.loads(vocabulary.read_text(encoding="utf-8"))
    pairs = [
        (parts[0], parts[1])
        for line in merges.read_text(encoding="utf-8").splitlines()
        if len(parts := line.split(" ")) >= 2 and not line.startswith("#version")
    ]
    pairs = [(left, right) for left, right in pairs if left + right in indices]
    tokenizer = Tokenizer(BPE(indices, pairs, unk_token="<unk>", end_of_word_suffix="</w>", fuse_unk=True))
    if lowercase:
        tokenizer.normalizer = normalizers.Sequence(
            [normalizers.Lowercase(), normalizers.NFD(), normalizers.StripAccents()]
        )
    tokenizer.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    tokenizer.post_processor = processors.TemplateProcessing(
        single="<s> $A </s>",
        pair="<s> $A </s> $B </s>",
        special_tokens=[(token, indices[token]) for token in ("<s>", "</s>")],
    )
    return tokenizer


@contextmanager
def quiet_transformers() -> Iterator[None]:
    """No progress bars and notices of Transformers, whose settings are put back afterwards."""
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
