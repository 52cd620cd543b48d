"""Loading of the tokenizers of models of Transformers."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from tokenizers import Tokenizer

from kiwi.data.text.spelling import run_tokenizer
from kiwi.exceptions import ConfigError


def tokenizer_of(model_name: str, config: Any, *, local: bool) -> Tokenizer:
    """Load the tokenizer of a model with Transformers.

    Args:
        model_name: its name on the hub, or its folder.
        config: its configuration.
        local: whether to read local files only.

    Raises:
        ConfigError: when it is not a tokenizer of the library ``tokenizers``.
        ValueError: when a library fails, or panics.
    """
    from transformers import AutoTokenizer
    from transformers.utils.hub import cached_file

    if config.model_type == "xlm":
        vocabulary, merges = (
            Path(str(cached_file(model_name, name, local_files_only=local))) for name in ("vocab.json", "merges.txt")
        )
        lowercase = config.n_langs <= XLM_LOWERCASE_LANGUAGES
        return run_tokenizer(lambda: xlm_tokenizer(vocabulary, merges, lowercase=lowercase))
    auto_tokenizer: Any = AutoTokenizer
    tokenizer = run_tokenizer(
        lambda: auto_tokenizer.from_pretrained(model_name, local_files_only=local, trust_remote_code=False)
    )
    backend = getattr(tokenizer, "backend_tokenizer", None)
    if backend is None:
        raise ConfigError(
            f"system.model.encoder.model_name: '{model_name}' has a {type(tokenizer).__name__}, which is not of the "
            "library 'tokenizers'. Name an encoder whose tokenizer is a tokenizer.json."
        )
    return run_tokenizer(lambda: Tokenizer.from_str(backend.to_str()))


XLM_LOWERCASE_LANGUAGES = 15
"""The largest number of languages of XLM models for lowercase text without accents; those of 17 and 100 are cased."""


def xlm_tokenizer(vocabulary: Path, merges: Path, *, lowercase: bool) -> Tokenizer:
    """Build the tokenizer of XLM with the library ``tokenizers``, since Transformers has it in Python only.

    Args:
        vocabulary: the path of ``vocab.json``.
        merges: the path of ``merges.txt``.
        lowercase: whether to lowercase text and strip accents.
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
