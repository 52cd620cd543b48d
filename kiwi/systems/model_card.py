"""The model card of a trained system, from what its checkpoint and its run say."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from kiwi import constants as const
from kiwi.exceptions import ConfigError
from kiwi.systems.checkpoint_info import CONFIG_FILE, CheckpointInfo
from kiwi.systems.export_info import ExportInfo
from kiwi.utils.io import read_structured, to_yaml

WHAT = {
    const.TARGET_TAGS: "OK or BAD for each word of the translation, with the probability of BAD",
    const.GAP_TAGS: "OK or BAD for each gap between its words, where BAD says that words are missing",
    const.SOURCE_TAGS: "OK or BAD for each word of the source, where BAD says that it was translated wrongly",
    const.SENTENCE_SCORES: "a score for the segment, on the scale of the training data (such as HTER or DA)",
    const.BINARY: "whether the segment needs any edit",
}
"""Of each output."""

CHECKPOINTS = "checkpoints"
"""In the directory of a run."""


def read_run_configuration(checkpoint: Path) -> Mapping[str, Any] | None:
    """The configuration of the run that a checkpoint lies in; None where it lies in none.

    Args:
        checkpoint: its directory, or a link to it.
    """
    checkpoint = checkpoint.resolve()
    file = checkpoint.parent.parent / CONFIG_FILE
    if checkpoint.parent.name != CHECKPOINTS or not file.is_file():
        return None
    try:
        content = read_structured(file)
    except ConfigError:
        return None  # of something else; the card does without
    return content if isinstance(content, dict) else None


def model_card(
    info: CheckpointInfo,
    name: str,
    *,
    run: Mapping[str, Any] | None = None,
    licences: Mapping[str, str] | None = None,
    licence: str | None = None,
    export: ExportInfo | None = None,
) -> str:
    """Content of ``README.md``: fields that the hub reads, then text for people.

    Args:
        info: of the checkpoint.
        name: of the system, on the hub or of its directory.
        run: configuration of its training run.
        licences: name to text of the notices of what it is made from.
        licence: of the system, as the hub writes it; without one, the card says that there is none.
        export: of an exported system; ``info`` is then that of the checkpoint that it was made from.
    """
    parts = [
        f"---\n{to_yaml(dict(_fields(info, name, licence, export)))}---",
        f"# {name.rpartition('/')[2]}",
        *_what(info),
        *_use(info, name),
        *(_export(export) if export is not None else ()),
        *_figures(info, exported=export is not None),
        *_training(info, run),
        *_limits(),
        *_licences(info, licences or {}, licence),
    ]
    return "\n\n".join(parts) + "\n"


def _fields(
    info: CheckpointInfo, name: str, licence: str | None, export: ExportInfo | None
) -> Iterator[tuple[str, Any]]:
    languages = [tag.partition("-")[0] for side in info.languages for tag in side]
    figures = figures_of(info.metrics)
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
    of_export = [] if export is None else ["onnx", *(["int8"] if export.precision == "int8" else [])]
    yield "tags", ["machine-translation", kind, info.class_name.lower(), *of_export]
    if figures:
        yield "metrics", list(dict.fromkeys(map(_hub_metric, figures)))
        task = {"type": "translation", "name": "Quality estimation of machine translation"}
        data = {"type": "validation", "name": "Validation data of the training run"}
        metrics = [{"type": _hub_metric(name), "name": name, "value": value} for name, value in figures.items()]
        yield (
            "model-index",
            [{"name": name.rpartition("/")[2], "results": [{"task": task, "dataset": data, "metrics": metrics}]}],
        )


HUB_METRICS = {
    "MCC": "matthews_correlation",
    "F1": "f1",
    "CORRECT": "accuracy",
    "PEARSON": "pearsonr",
    "SPEARMAN": "spearmanr",
    "PERP": "perplexity",
}
"""What the hub calls metrics; others as they are."""


def _hub_metric(name: str) -> str:
    parts = name.split("_")
    return next((HUB_METRICS[part] for part in parts if part in HUB_METRICS), name.lower())


def figures_of(metrics: Mapping[str, float]) -> dict[str, float]:
    """Metrics that say something to others: no losses, no sums, and no prefix that says where they were measured."""
    return {
        name.removeprefix("val_"): round(value, 4)
        for name, value in metrics.items()
        if "loss" not in name and "+" not in name and math.isfinite(value)
    }


def direction(info: CheckpointInfo) -> str:
    """Languages in words, such as ``from en to de``; empty where they are not known."""
    source, target = (", ".join(side) for side in info.languages)
    return f"from {source or 'any language'} to {target or 'any language'}" if source or target else ""


def _what(info: CheckpointInfo) -> Iterator[str]:
    where = f", {direction(info)}," if direction(info) else ""
    if not info.outputs:
        yield (
            f"A language model of translations{where} (`{info.class_name}`), to train a quality estimation system "
            "from: give it to `system.load_encoder` of `kiwi train`."
        )
        return
    yield f"Estimates the quality of machine translation without a reference{where} (`{info.class_name}`). It says"
    yield "\n".join(f"- `{output}`: {WHAT[output]}" for output in info.outputs)


def reads(info: CheckpointInfo) -> list[str]:
    """Fields that a system reads beside source and target."""
    encoder = info.model.get("encoder") or {}
    embeddings = encoder.get("embeddings") or {}
    fields = [const.ALIGNMENTS] if "window_size" in encoder else []
    return [*fields, *(field for field in (const.SOURCE_POS, const.TARGET_POS) if embeddings.get(field))]


def _use(info: CheckpointInfo, name: str) -> Iterator[str]:
    yield "## How to use it"
    if not info.outputs:
        yield f"```shell\nkiwi train config/predictor-estimator.yaml system.load_encoder={name}\n```"
        return
    fields = [const.SOURCE, const.TARGET, *reads(info)]
    files = " \\\n  ".join(f"data.test.input.{field}=test.{field}" for field in fields)
    arguments = ", ".join(f"{field}=[...]" for field in fields)
    yield (
        "```python\nimport kiwi\n\n"
        f'system = kiwi.load_system("{name}")\nprint(system.predict({arguments}))\n```\n\n'
        "With `config/predict.yaml` of kiwi:\n\n"
        f"```shell\nkiwi predict config/predict.yaml system.load={name} run.output_dir=predictions \\\n  {files}\n```"
    )
    yield "Text is tokenized as the training data was, words separated by spaces, one segment a line."


FORMS = {
    "fp32": "in single precision",
    "int8": "its weights in 8 bits, which is for the CPU",
}
"""Of exported systems, by precision."""


def _export(export: ExportInfo) -> Iterator[str]:
    yield "## Exported for ONNX Runtime"
    yield (
        f"This is an export for ONNX Runtime ({export.precision}: {FORMS[export.precision]}), which needs "
        f"`pip install 'kiwi-qe[onnx]'` and no torch. kiwi {export.kiwi_version} made it from the checkpoint "
        f"`{export.checkpoint.sha256}`."
    )
    rows = [
        f"| {name} | {each.n} | {each.largest:.2g} | {each.mean:.2g} |" for name, each in export.differences.items()
    ]
    where = f" on {export.n_compared} segments" if export.n_compared else ""
    yield (
        f"Held against the values of the checkpoint{where} (of scores beyond 1, differences are shares of the largest):"
    )
    yield "\n".join(["| output | values | largest difference | mean difference |", "|---|---|---|---|", *rows])


def _figures(info: CheckpointInfo, *, exported: bool) -> Iterator[str]:
    yield "## Figures on validation data"
    if exported:
        yield "Of the checkpoint that this was made from, not of the export."
    figures = figures_of(info.metrics)
    rows = [f"| {name} | {value:.4f} |" for name, value in figures.items()]
    yield "\n".join(["| metric | value |", "|---|---|", *rows]) if rows else "None were saved with it."


def _training(info: CheckpointInfo, run: Mapping[str, Any] | None) -> Iterator[str]:
    yield "## How it was trained"
    facts = [f"- kiwi {info.kiwi_version}"]
    if info.origin is not None:
        facts.append(f"- pretrained encoder: {info.origin.name}")
    if info.data.train_segments is not None:
        valid = f", validated on {info.data.valid_segments}" if info.data.valid_segments is not None else ""
        facts.append(f"- trained on {info.data.train_segments} segments{valid}")
    facts += _facts_of_run(run or {})
    yield "\n".join(facts)


RATES = (
    "learning_rate",
    "encoder_learning_rate",
    "layerwise_lr_decay",
    "warmup_steps",
    "training_steps",
    "learning_rate_decay",
)
"""Options of the optimizer that the card names where they are set."""


def _facts_of_run(run: Mapping[str, Any]) -> Iterable[str]:
    system, trainer, own = (_mapping(run.get(key)) for key in ("system", "trainer", "run"))
    optimizer = _mapping(system.get("optimizer"))
    batch = system.get("batch_size")
    if "epochs" in trainer:
        yield f"- epochs: at most {trainer['epochs']}; the best model by {_listed(trainer.get('main_metric'))}"
    if "class_name" in optimizer:
        options = {name: optimizer.get(name) for name in RATES if optimizer.get(name) not in (None, 1.0)}
        listing = ", ".join(f"{name} {value}" for name, value in options.items())
        yield f"- optimizer {optimizer['class_name']}: {listing}"
    if batch is not None:
        yield f"- {_mapping(batch).get('train', batch)} segments in a batch"
    if "seed" in own:
        yield f"- seed {own['seed']}"


def _mapping(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}


def _listed(value: Any) -> str:
    return " + ".join(map(str, value)) if isinstance(value, list) else str(value or "the first metric of its outputs")


def _limits() -> Iterator[str]:
    yield "## Limits"
    yield (
        "Its estimates are for the languages, the kind of text, of translations and of scores that it was trained on. "
        "For other languages, domains and translation systems they may be wrong; of facts, safety and style they say "
        "nothing. Do not use them alone to decide about people or their pay."
    )


def _licences(info: CheckpointInfo, licences: Mapping[str, str], licence: str | None) -> Iterator[str]:
    yield "## Licences"
    yield f"This system: {licence}." if licence else "This system: its authors have named no licence here."
    if info.origin is not None:
        yield f"Its pretrained encoder, {info.origin.name}: {info.origin.licence or 'see the notices of its authors'}."
    for name, text in licences.items():
        fence = "~~~~" if "~~~~" not in text else "`" * 8
        yield f"{name}:\n\n{fence}text\n{text.strip()}\n{fence}"
