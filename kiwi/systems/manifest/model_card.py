"""The model card of a trained system, from its checkpoint and the configuration of its run."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from kiwi import constants as const
from kiwi.data.labels.policy import Policy
from kiwi.data.text.language_pairs import PAIR
from kiwi.exceptions import ConfigError
from kiwi.outputs import OUTPUTS
from kiwi.systems.manifest.checkpoint import BEST_MODEL, CONFIG_FILE, CheckpointInfo
from kiwi.systems.manifest.export import ExportInfo
from kiwi.utils.structured.reading import read_structured
from kiwi.utils.structured.writing import to_yaml
from kiwi.utils.templates import render

CHECKPOINTS = "checkpoints"
"""The directory of the checkpoints, within that of a run."""


def read_run_configuration(checkpoint: Path) -> Mapping[str, Any] | None:
    """Return the configuration of the run that wrote a checkpoint; None if the checkpoint is not within a run.

    Args:
        checkpoint: the directory of the checkpoint, or a link to it; ``best_model`` may be a copy.
    """
    checkpoint = checkpoint.resolve()
    parent = checkpoint.parent
    file = (parent if checkpoint.name == BEST_MODEL else parent.parent) / CONFIG_FILE
    if (checkpoint.name != BEST_MODEL and parent.name != CHECKPOINTS) or not file.is_file():
        return None
    try:
        content = read_structured(file)
    except ConfigError:
        return None  # not the configuration of a run; the card omits it
    return content if isinstance(content, dict) else None


def model_card(
    info: CheckpointInfo,
    name: str,
    *,
    run: Mapping[str, Any] | None = None,
    licences: Mapping[str, str] | None = None,
    licence: str | None = None,
    export: ExportInfo | None = None,
    policy: Policy | None = None,
) -> str:
    """Return the content of ``README.md``: metadata for the hub, then text for people.

    Args:
        info: the description of the checkpoint; for an exported system, that of the checkpoint that was exported.
        name: the name of the system on the hub, or that of its directory.
        run: the configuration of the training run.
        licences: the licence notices of what the system was made from, text by name.
        licence: the licence of the system, in the hub's notation; without one, the card says that none was named.
        export: the description of an exported system.
        policy: the policy that the system carries.
    """
    languages = describe_languages(info)
    return render(
        "model_card.md.jinja",
        metadata=to_yaml(dict(_metadata(info, name, licence, export))),
        title=_title(name),
        name=name,
        info=info,
        languages=languages,
        outputs=[(output, _describe_output(output, info)) for output in info.outputs],
        input_fields=[const.SOURCE, const.TARGET, *extra_fields(info)],
        metrics=published_metrics(info.metrics),
        by_pair=metrics_by_pair(info.metrics),
        export=export,
        policy=policy,
        run=_run_facts(run or {}),
        licence=licence,
        licences=licences or {},
    )


def _describe_output(output: str, info: CheckpointInfo) -> str:
    description = OUTPUTS[output].description
    if output == const.SENTENCE_SCORES and info.data.score is not None:
        return f"a score for each segment: {info.data.score}"
    return description


def _title(name: str) -> str:
    return name.rpartition("/")[2]


def _metadata(
    info: CheckpointInfo, name: str, licence: str | None, export: ExportInfo | None
) -> Iterator[tuple[str, Any]]:
    languages = [tag.partition("-")[0] for side in info.languages for tag in side]
    figures = published_metrics(info.metrics)
    yield "library_name", "kiwi"
    if info.outputs:
        yield "pipeline_tag", "translation"
    if languages:
        yield "language", list(dict.fromkeys(languages))
    if licence is not None:
        yield "license", licence
    if info.origin is not None:
        yield "base_model", info.origin.name
    kind = "quality-estimation" if info.outputs else "translation-language-model"
    export_tags = [] if export is None else ["onnx", *(["int8"] if export.precision == "int8" else [])]
    yield "tags", ["machine-translation", kind, info.class_name.lower(), *export_tags]
    if figures:
        yield "metrics", list(dict.fromkeys(map(_hub_metric, figures)))
        task = {"type": "translation", "name": "Quality estimation of machine translation"}
        data = {"type": "validation", "name": "Validation data of the training run"}
        metrics = [{"type": _hub_metric(name), "name": name, "value": value} for name, value in figures.items()]
        yield (
            "model-index",
            [{"name": _title(name), "results": [{"task": task, "dataset": data, "metrics": metrics}]}],
        )


HUB_METRICS = {
    "MCC": "matthews_correlation",
    "F1": "f1",
    "CORRECT": "accuracy",
    "PEARSON": "pearsonr",
    "SPEARMAN": "spearmanr",
    "PERP": "perplexity",
}
"""The hub's names of metrics; others keep their own, in lower case."""


def _hub_metric(name: str) -> str:
    parts = name.split("_")
    return next((HUB_METRICS[part] for part in parts if part in HUB_METRICS), name.lower())


def published_metrics(metrics: Mapping[str, float]) -> dict[str, float]:
    """Return the metrics to publish, without losses and sums, rounded and without the prefix ``val_``.

    Those of single language pairs are in :func:`metrics_by_pair`.
    """
    return {name: value for name, value in _rounded(metrics).items() if not PAIR.fullmatch(name.partition("_")[0])}


def metrics_by_pair(metrics: Mapping[str, float]) -> dict[str, dict[str, float]]:
    """Return the published metrics of each language pair, by pair and name."""
    found: dict[str, dict[str, float]] = {}
    for name, value in _rounded(metrics).items():
        pair, _, metric = name.partition("_")
        if PAIR.fullmatch(pair):
            found.setdefault(pair, {})[metric] = value
    return found


def _rounded(metrics: Mapping[str, float]) -> dict[str, float]:
    return {
        name.removeprefix("val_"): round(value, 4)
        for name, value in metrics.items()
        if "loss" not in name and "+" not in name and math.isfinite(value)
    }


def describe_languages(info: CheckpointInfo) -> str:
    """Return the languages in words, such as ``from en to de``; empty if they are not known."""
    if info.data.language_pairs:
        return f"for the language pairs {', '.join(info.data.language_pairs)}"
    source, target = (", ".join(side) for side in info.languages)
    return f"from {source or 'any language'} to {target or 'any language'}" if source or target else ""


def extra_fields(info: CheckpointInfo) -> list[str]:
    """Return the fields that a system reads in addition to source and target."""
    encoder = info.model.get("encoder") or {}
    embeddings = encoder.get("embeddings") or {}
    fields = [const.ALIGNMENTS] if "window_size" in encoder else []
    return [*fields, *(field for field in (const.SOURCE_POS, const.TARGET_POS) if embeddings.get(field))]


RATES = (
    "learning_rate",
    "encoder_learning_rate",
    "layerwise_lr_decay",
    "warmup_steps",
    "training_steps",
    "learning_rate_decay",
)
"""The options of the optimizer that the card lists if they are set."""


def _run_facts(run: Mapping[str, Any]) -> dict[str, Any]:
    """Return what the card says about training, as far as the configuration of the run sets it."""
    system, trainer, own = (_mapping(run.get(key)) for key in ("system", "trainer", "run"))
    optimizer, batch_size = _mapping(system.get("optimizer")), system.get("batch_size")
    facts: dict[str, Any] = {}
    if "epochs" in trainer:
        facts |= {"epochs": trainer["epochs"], "main_metric": _listed(trainer.get("main_metric"))}
    if "class_name" in optimizer:
        rates = {name: optimizer.get(name) for name in RATES if optimizer.get(name) not in (None, 1.0)}
        facts |= {"optimizer": optimizer["class_name"], "rates": rates}
    if batch_size is not None:
        facts["batch_size"] = _mapping(batch_size).get("train", batch_size)
    if "seed" in own:
        facts["seed"] = own["seed"]
    return facts


def _mapping(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}


def _listed(value: Any) -> str:
    return " + ".join(map(str, value)) if isinstance(value, list) else str(value or "the first metric of its outputs")
