"""Checks of the weights that a pretrained model was loaded with against those that its configuration describes."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any

from kiwi.exceptions import ConfigError

HEAD_READERS = "use_mismatch_features, use_predictor_features, tlm_outputs.fine_tune"
"""The options that read the language-modelling head of a model, for error messages."""


def check_shapes(mismatches: Collection[tuple[str, Sequence[int], Sequence[int]]], model: Any, name: str) -> None:
    """Check that the weights of a model have the shapes that its configuration describes.

    Args:
        mismatches: the weights of other shapes, each with the shape in the files and the one that was expected.
        model: the model as Transformers has built it.
        name: the name of the model on the hub, or its folder.

    Raises:
        ConfigError: when there is any mismatch.
    """
    if not mismatches:
        return
    shapes = {weight: (tuple(found), tuple(expected)) for weight, found, expected in mismatches}
    first = next((weight for weight in model.state_dict() if weight in shapes), min(shapes))
    found, expected = shapes[first]
    others = f" ({len(shapes)} weights differ)" if len(shapes) > 1 else ""
    raise ConfigError(
        f"system.model.encoder.model_name: '{name}' cannot be built: found shape {found} of '{first}' in its weights; "
        f"expected {expected}, according to its config.json{others}. Copy its config.json and its weights again, from "
        "the same model."
    )


def check_missing(
    part: Any, model: Any, missing: Sequence[str], config: Mapping[str, Any], name: str | None, *, with_head: bool
) -> None:
    """Check that no weight is missing from the part of a model that is used.

    Args:
        part: the part that is used.
        model: the model as Transformers has built it.
        missing: the names of the weights that the files of the model lack.
        config: the configuration of the model.
        name: the name of the model on the hub, or its folder.
        with_head: whether its language-modelling head is used.

    Raises:
        ConfigError: when a weight is missing that the model does not compute itself.
    """
    used = {id(weight) for weight in part.state_dict(keep_vars=True).values()}
    own = model.state_dict(keep_vars=True)
    missing = [weight for weight in missing if weight not in own or id(own[weight]) in used]
    missing = [weight for weight in missing if not _is_computed(model, weight)]
    if not missing:
        return
    place = f"system.model.encoder.model_name: '{name}'"
    base = {f"{model.base_model_prefix}.{weight}" for weight in model.base_model.state_dict()}
    if with_head and not base.intersection(missing):
        raise ConfigError(
            f"{place} has no language-modelling head (no '{missing[0]}'), which is required by {HEAD_READERS}. Switch "
            "these off, or name a model with a head."
        )
    if config.get("is_decoder"):
        raise ConfigError(
            f"{place} is a decoder (is_decoder: true in its config.json), without the weights of an encoder, such as "
            f"'{missing[0]}'. Name an encoder, or a model that has both."
        )
    raise ConfigError(
        f"{place} lacks {len(missing)} weights of a {model.config.model_type}, such as '{missing[0]}', which would be "
        "random. Save the model again with save_pretrained."
    )


def _is_computed(model: Any, name: str) -> bool:
    """Return whether a weight has been computed by its module, such as the sinusoids that Marian does not save."""
    import torch

    try:
        module = model.get_submodule(name.rpartition(".")[0])
    except AttributeError:
        return False
    compute = getattr(module, "create_weight", None)  # the name in Transformers
    return name.endswith(".weight") and compute is not None and torch.equal(module.weight, compute())
