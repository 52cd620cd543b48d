"""The lower layers of a pretrained encoder, whose states represent words in their context."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tokenizers import Tokenizer
from torch import Tensor, nn

from kiwi.data.files.e5_file import E5File
from kiwi.data.text.vocabulary import parse_tokenizer
from kiwi.exceptions import ConfigError
from kiwi.systems.pretrained.model import Pretrained, quiet_transformers
from kiwi.systems.pretrained.packaged import ENCODERS, bert_config

DEFAULT_ENCODER = "multilingual-e5-small"


class LowerLayers(nn.Module):
    """The lower layers of an encoder.

    Args:
        body: the encoder, which has only these layers.
    """

    def __init__(self, body: Any) -> None:
        super().__init__()
        self.body = body

    def forward(self, pieces: Tensor, mask: Tensor) -> Tensor:
        """Return the state of each piece after the last of the layers.

        Args:
            pieces: the IDs of the pieces of one text per row (rows, pieces).
            mask: whether there is a piece (rows, pieces).

        Returns:
            The states, (rows, pieces, hidden).
        """
        states: Tensor = self.body(input_ids=pieces, attention_mask=mask.long()).last_hidden_state
        return states


@dataclass(frozen=True)
class LoadedLayers:
    """The lower layers of an encoder, and what else is known about it."""

    layers: LowerLayers
    tokenizer: Tokenizer
    n_layers: int
    """The number of layers."""

    name: str
    """The name of the encoder."""

    licences: Mapping[str, str]
    """The texts of its licence notices, by file name."""


def load_lower_layers(encoder: str | None = None, n_layers: int | None = None) -> LoadedLayers:
    """Load the lower layers of an encoder.

    Args:
        encoder: the folder of the encoder, or its name on the model hub; None is multilingual-e5-small, from the
            packages of the extra ``encoder``.
        n_layers: the number of layers; None is half of those that the encoder has.

    Raises:
        ConfigError: when the encoder cannot be loaded, or does not have so many layers.
        MissingExtraError: when the packages of the default encoder are not installed.
    """
    if encoder is None:
        return _load_packaged(n_layers)
    try:
        pretrained = Pretrained.from_model(encoder)
    except ConfigError as error:  # names an option of training
        raise ConfigError(str(error).removeprefix("system.model.encoder.model_name: ")) from error
    if pretrained.config.get("is_encoder_decoder"):
        raise ConfigError(f"{encoder} has a decoder; name a model that is an encoder only.")
    import transformers

    auto_config: Any = transformers.AutoConfig
    options = {name: value for name, value in pretrained.config.items() if name != "model_type"}
    total = auto_config.for_model(pretrained.config["model_type"], **options).num_hidden_layers
    n_layers = _check_layers(n_layers, total, encoder)
    body = pretrained.build_model()
    _keep_lowest(body, n_layers, encoder)
    name = Path(encoder).name
    return LoadedLayers(LowerLayers(body).eval(), pretrained.tokenizer, n_layers, name, pretrained.licences)


def _load_packaged(n_layers: int | None) -> LoadedLayers:
    import torch
    import transformers

    packaged = ENCODERS[DEFAULT_ENCODER]
    file, tokenizer = E5File(packaged.weights.locate()), packaged.tokenizer.locate()
    options = bert_config(file, tokenizer)
    n_layers = _check_layers(n_layers, options["num_hidden_layers"], DEFAULT_ENCODER)
    weights = {name: torch.from_numpy(array) for name, array in file.state_dict(n_layers).items()}
    auto_config: Any = transformers.AutoConfig
    config = auto_config.for_model(options.pop("model_type"), **options | {"num_hidden_layers": n_layers})
    with quiet_transformers():
        body: Any = transformers.BertModel.from_pretrained(
            None, config=config, state_dict=weights, add_pooling_layer=False
        )
    parsed = parse_tokenizer(tokenizer.read_text(encoding="utf-8"))
    notices = {"NOTICE": packaged.notice.locate().read_text(encoding="utf-8")}
    return LoadedLayers(LowerLayers(body).eval(), parsed, n_layers, DEFAULT_ENCODER, notices)


def _check_layers(n_layers: int | None, total: int, encoder: str) -> int:
    n_layers = max(1, total // 2) if n_layers is None else n_layers
    if not 1 <= n_layers <= total:
        raise ConfigError(f"layer: found {n_layers}; expected 1 to {total}, the layers of {encoder}.")
    return n_layers


def _keep_lowest(body: Any, n_layers: int, encoder: str) -> None:
    """Remove the layers above the lowest ones."""
    total = body.config.num_hidden_layers
    lists = [module for module in body.modules() if isinstance(module, nn.ModuleList) and len(module) == total]
    if not lists:
        raise ConfigError(f"{encoder}: the layers of a {body.config.model_type} model cannot be found.")
    for layers in lists:
        del layers[n_layers:]
    body.config.num_hidden_layers = n_layers
    # Some models loop over a number that they have copied from their configuration.
    for name in ("n_layers", "num_hidden_layers"):
        if isinstance(getattr(body, name, None), int):
            setattr(body, name, n_layers)
