"""The labels that a QE system learns from, and outputs for which the data has none."""

from __future__ import annotations

import logging
from collections.abc import Iterable

from kiwi import constants as const
from kiwi.data.datasets.wmt_qe_dataset import WMTQEDataset
from kiwi.data.files.lines import Columns
from kiwi.data.labels.score_options import declared_kind
from kiwi.outputs import OUTPUTS, OutputSpec
from kiwi.systems.config.qe import QESystemConfig, input_fields, label_fields, with_sentence_level
from kiwi.systems.exported import read_trained_info
from kiwi.systems.outputs.quality_estimation import metrics_of

logger = logging.getLogger(__name__)


def find_missing_files(config: QESystemConfig, data: WMTQEDataset.Config) -> dict[str, str]:
    """Find the files that a system needs as input or labels and that are not configured.

    Args:
        config: the resolved configuration.
        data: the configuration of the data.

    Returns:
        The reason for each missing option, by dotted path.
    """
    reads, learns = input_fields(config.class_name or "", config.model), label_fields(config.model)
    needed_labels = _needed_labels(config, data)
    if config.model.tlm_outputs.fine_tune:
        reads = [*reads, const.POST_EDIT]
    missing: dict[str, str] = {}
    for name, part in (("train", data.train), ("valid", data.valid)):
        if part is not None:
            needed = [("input", (field,)) for field in reads] + [("output", fields) for fields in needed_labels]
            for place, fields in needed:
                given = [
                    data.has_labels(part, field) if place == "output" else getattr(part.input, field) is not None
                    for field in fields
                ]
                if not any(given):
                    reason = f"required: {config.class_name} with these outputs needs {' or '.join(fields)}"
                    if fields == (const.ALIGNMENTS,):
                        reason += ", which `kiwi align` writes, or `kiwi corpus` with everything else"
                    missing[f"data.{name}.{place}.{fields[0]}"] = reason
    parts = {"train": data.train, "valid": data.valid}
    optional = [field for fields in learns for field in (fields[1:] if fields in needed_labels else fields)]
    if (const.SENTENCE_SCORES,) in learns:
        optional.append(const.RATER_SCORES)
    for field in dict.fromkeys(optional):
        lacking = [name for name, part in parts.items() if part and getattr(part.output, field) is None]
        if len(lacking) == 1 and all(parts.values()):
            missing[f"data.{lacking[0]}.output.{field}"] = "required: the other part of the data has it"
    without_pairs = [name for name, part in parts.items() if part and part.input.lp is None]
    if len(without_pairs) == 1 and all(parts.values()):
        missing[f"data.{without_pairs[0]}.input.lp"] = "required: the other part of the data has it"
    elif "train" in without_pairs and data.pair_temperature != 1.0:
        missing["data.train.input.lp"] = "required with data.pair_temperature"
    return missing


def _needed_labels(config: QESystemConfig, data: WMTQEDataset.Config) -> list[tuple[str, ...]]:
    """Return the files of labels of which one each is needed: not those of outputs that are trained already."""
    learns = label_fields(config.model)
    if config.load is None or not data.partial_labels or data.train is None:
        return learns
    given = [fields for fields in learns if any(data.has_labels(data.train, field) for field in fields)]
    trained = set(read_trained_info(config.load).outputs)
    new = {OUTPUTS[name].label_fields for name in config.model.outputs.names if name not in trained}
    return [fields for fields in learns if fields in given or fields in new] if given else learns


def labelled_metrics(config: QESystemConfig, data: WMTQEDataset.Config) -> list[str]:
    """Return the metrics of a system for which the data has labels, the main one first, without the prefix ``val_``.

    Args:
        config: the resolved configuration.
        data: the configuration of the data.
    """
    assert data.train is not None, "checked by the training configuration"
    outputs, train = config.model.outputs.names, data.train
    labelled = [name for name in outputs if any(data.has_labels(train, field) for field in OUTPUTS[name].label_fields)]
    without = {*metrics_of(outputs)} - {*metrics_of(labelled)}
    return [name for name in config.model.metric_names if name not in without]


def add_blank_labels(columns: Columns, outputs: Iterable[str]) -> list[str]:
    """Give all segments blank labels for the outputs that the data has none of, so that these are not trained.

    Args:
        columns: the columns of texts and labels, which are changed.
        outputs: the outputs of the system.

    Returns:
        The outputs without labels.
    """
    lacking = [
        spec for spec in map(OUTPUTS.__getitem__, outputs) if not {_column(spec), spec.verdict_field} & {*columns}
    ]
    for spec in lacking:
        columns[_column(spec)] = ["nan" if spec.unit == "segment" else ""] * len(columns[const.SOURCE])
    return [spec.name for spec in lacking]


def _column(spec: OutputSpec) -> str:
    """Return the column of an output's labels; tags of gaps have one of their own, after their file is read."""
    return spec.label_field if spec.unit == "segment" else spec.name


def read_labelled(config: QESystemConfig, data: WMTQEDataset.Config, seed: int) -> tuple[WMTQEDataset, WMTQEDataset]:
    """Read and validate the training and validation data, with blank labels for outputs that are only kept.

    Args:
        config: the resolved configuration.
        data: the configuration of the data.
        seed: the random seed of a split.

    Raises:
        DataError: when a file is invalid.
    """
    parts = WMTQEDataset.train_and_valid(data, seed)
    if data.partial_labels and config.load is not None:
        without = [add_blank_labels(part.columns, config.model.outputs.names) for part in parts]
        if without[0]:
            logger.info("Outputs without labels are not trained, but kept: %s.", ", ".join(without[0]))
    return parts


def fit_labels(
    config: QESystemConfig, data: WMTQEDataset.Config, train: WMTQEDataset, valid: WMTQEDataset
) -> QESystemConfig:
    """Complete the options of the scores by the training data, and check the labels of both parts.

    Raises:
        DataError: when gap tags are missing, or scores are outside of the range that the options imply.
    """
    assert data.train is not None, "checked by the training configuration"
    if (path := data.score_file(data.train)) is not None:
        kind = "mqm" if data.spans.as_scores else declared_kind(data.score, path)
        config = with_sentence_level(config, config.model.outputs.sentence_level.resolve(train.columns, kind))
    for dataset, part in ((train, data.train), (valid, data.valid or data.train)):
        places = dict(part.output) | {const.SENTENCE_SCORES: data.score_file(part)}
        config.model.outputs.check_labels(dataset.columns, places, is_numbered=data.is_numbered)
    return config
