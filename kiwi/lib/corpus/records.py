"""What a corpus says about itself: ``corpus.json``, ``config.yaml`` and ``report.html``."""

from __future__ import annotations

import hashlib
import platform
import shlex
from collections.abc import Mapping, Sequence
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from kiwi import __version__, constants as const
from kiwi.data.datasets.wmt_qe_dataset import LabelOrigin
from kiwi.data.post_edits.units import UNIT_RULES
from kiwi.lib.corpus.cleaning import RULES
from kiwi.lib.corpus.options import PARTS, CorpusOptions, Input
from kiwi.lib.corpus.summary import Summary
from kiwi.lib.corpus.tokenizers import LIBRARIES, Tokenizer
from kiwi.pages.corpus import CorpusFigures, corpus_page
from kiwi.utils.display import printable
from kiwi.utils.io import write_json, write_text
from kiwi.utils.structured.writing import literal, to_yaml

CORPUS_FILE, CONFIG_FILE, REPORT_FILE = "corpus.json", "config.yaml", "report.html"

FORMAT = 1
"""The version of the format of ``corpus.json``."""

SMALL = 5000
"""The number of training segments below which the training configuration takes a smaller system and smaller batches."""

LARGEST_WEIGHT = 30.0
"""The largest weight of BAD in the training configuration."""


def write_records(
    stage: Path,
    output: Path,
    summary: Summary,
    segments: Input,
    options: CorpusOptions,
    tokenizers: tuple[Tokenizer, Tokenizer],
) -> None:
    """Write the records of a corpus beside its files.

    Args:
        stage: the directory with the files.
        output: the directory that they will be in.
        summary: the counts of the corpus.
        segments: the input.
        options: how the corpus was made.
        tokenizers: the tokenizers of source and target.
    """
    known = (UNIT_RULES if segments.has_units else {}) | RULES
    rules = {rule: description for rule, description in known.items() if rule not in options.keep}
    write_text(stage / REPORT_FILE, corpus_page(_figures(output, summary, rules, segments, options, tokenizers)))
    origin: LabelOrigin = "references" if options.references else "post-edits"
    write_text(stage / CONFIG_FILE, training_configuration(stage, output, summary, options, origin))
    write_json(
        stage / CORPUS_FILE,
        {
            "format": FORMAT,
            "source_language": options.source_language,
            "target_language": options.target_language,
            "post_edits": origin,
            "input": {name: str(segments.place(name)) for name in segments.fields},
            "columns": dict(segments.columns),
            "machine_translations": dict(summary.origins),
            "settings": options.settings(),
            "tokenizers": {
                side: {"name": each.name, "why": each.why}
                for side, each in zip(("source", "target"), tokenizers, strict=True)
            },
            "counts": summary.to_dict(rules),
            "versions": _versions(tokenizers),
            "sha256": checksums(stage),
        },
    )


def checksums(directory: Path) -> dict[str, str]:
    """Return the SHA-256 of each file of a corpus by its name."""
    sums = {}
    for path in sorted(directory.iterdir()):
        if path.is_file() and path.name != CORPUS_FILE:
            with path.open("rb") as file:
                sums[path.name] = hashlib.file_digest(file, "sha256").hexdigest()
    return sums


def _versions(tokenizers: Sequence[Tokenizer]) -> dict[str, str]:
    found = {"kiwi": __version__, "python": platform.python_version()}
    for library in sorted({library for each in tokenizers for library in LIBRARIES[each.name]}):
        try:
            found[library] = version(library)
        except PackageNotFoundError:
            found[library] = "unknown"
    return found


def _figures(
    output: Path,
    summary: Summary,
    rules: Mapping[str, str],
    segments: Input,
    options: CorpusOptions,
    tokenizers: tuple[Tokenizer, Tokenizer],
) -> CorpusFigures:
    languages = [language or "unknown" for language in (options.source_language, options.target_language)]
    settings = [
        ("languages", " to ".join(languages)),
        ("labels from", "references" if options.references else "post-edits"),
        *((name.replace("_", " "), str(segments.place(name))) for name in segments.fields),
        *((f"machine translations of {origin}", f"{n:,} units") for origin, n in summary.origins.most_common()),
        *(
            (f"tokenizer of the {side}", f"{each.name} ({each.why})")
            for side, each in zip(("source", "target"), tokenizers, strict=True)
        ),
        ("tags", options.tag_form),
        ("source tags", options.source_tags),
        ("split", "the last segments" if options.keep_order else f"at random, seed {options.seed}"),
    ]
    return CorpusFigures(
        title=f"Corpus {output.name}",
        settings=settings,
        parts=[summary.parts[name].figures(name) for name in PARTS if name in summary.parts],
        n_read=summary.n_read,
        dropped=[(rule, description, summary.dropped[rule]) for rule, description in rules.items()],
        hter=summary.hter,
        lengths=summary.lengths,
        substitutions=summary.edits.substitutions.most_common(100),
        annotators=summary.annotator_figures(),
        worst=summary.edits.worst(),
        is_reference=bool(options.references),
    )


def training_configuration(
    stage: Path, output: Path, summary: Summary, options: CorpusOptions, origin: LabelOrigin | None
) -> str:
    """Return a configuration that trains a system on the corpus.

    It is NuQE if there are alignments, and otherwise a PredictorEstimator, which reads none.

    Args:
        stage: the directory with the files.
        output: the directory that they will be in.
        summary: the counts of the corpus.
        options: how the corpus was made.
        origin: what the labels were made from, if that is known.
    """
    has_alignments = (stage / "train.src-mt.alignments").exists()
    has_source = options.source_tags != "none"
    has_gaps = options.tag_form == "interleaved"
    has_pairs = (stage / f"train.{const.LANGUAGE_PAIR}").exists()
    data: dict[str, Any] = {
        f"{side}_language": language
        for side, language in (("source", options.source_language), ("target", options.target_language))
        if language
    }
    data |= {"labels_from": origin} if origin else {}
    data["score"] = {"kind": "hter"}
    for name, part in (("train", "train"), ("valid", "dev")):
        if part in summary.parts:
            data[name] = _part(part, has_alignments, has_source, has_pairs)
    if "dev" not in summary.parts:
        data["split"] = 0.9
    outputs = {const.TARGET_TAGS: "target"}
    outputs |= {const.GAP_TAGS: "gaps"} if has_gaps else {}
    outputs |= {const.SOURCE_TAGS: "source"} if has_source else {}
    train = summary.parts["train"]
    weights = {}
    for name in outputs:
        n_bad = train.n_bad[name]
        weights[name] = {"BAD": round(min(max((train.n_tags[name] - n_bad) / max(n_bad, 1), 1.0), LARGEST_WEIGHT), 1)}
    main = ["WMT19_MCC"] if has_gaps else ["target_tags_MCC"]
    system = _system(has_alignments, has_source, is_small=train.n_segments < SMALL)
    system["model"]["outputs"] = {
        "word_level": dict.fromkeys(outputs.values(), True) | {"class_weights": weights},
        "sentence_level": {"hter": True, "use_distribution": True},
    }
    content = {
        "_corpus": literal(str(output)),
        "run": {"experiment_name": literal(output.name), "output_dir": literal(f"runs/{output.name}")},
        "trainer": {
            "epochs": 20,
            "main_metric": [*main, "PEARSON"],
            "gradient_max_norm": 1.0,
            "checkpoint": {"validation_steps": 1.0, "save_top_k": 1, "early_stop_patience": 10},
        },
        "data": data,
        "system": system,
    }
    place = printable(shlex.quote(str(output / CONFIG_FILE)), one_line=True)
    title = f"# Trains on this corpus: kiwi train {place}\n# If it was moved: _corpus=NEW/PLACE\n"
    return title + to_yaml(content)


def _part(part: str, has_alignments: bool, has_source: bool, has_pairs: bool) -> dict[str, Any]:
    inputs = {const.SOURCE: "src", const.TARGET: "mt"}
    inputs |= {const.ALIGNMENTS: "src-mt.alignments"} if has_alignments else {}
    inputs |= {const.LANGUAGE_PAIR: const.LANGUAGE_PAIR} if has_pairs else {}
    labels = {const.TARGET_TAGS: "tags", const.SENTENCE_SCORES: "hter"}
    labels |= {const.SOURCE_TAGS: "source_tags"} if has_source else {}
    return {
        side: {field: f"${{_corpus}}/{part}.{suffix}" for field, suffix in files.items()}
        for side, files in (("input", inputs), ("output", labels))
    }


def _system(has_alignments: bool, has_source: bool, *, is_small: bool) -> dict[str, Any]:
    common = {
        "batch_size": {"train": 16, "valid": 64, "test": 64} if is_small else 64,
        "num_data_workers": 0,
        "data_processing": {"vocab": {"min_frequency": 2}},
        "optimizer": {"class_name": "adam", "learning_rate": 0.003 if is_small else 0.001, "warmup_steps": 0.1},
    }
    embeddings = {side: {"dim": 50 if is_small else 100, "dropout": 0.3} for side in ("source", "target")}
    if has_alignments:
        layers = {"hidden_sizes": [100, 50, 50, 25] if is_small else [400, 200, 100, 50], "dropout": 0.1}
        decoder = {"target": layers} | ({"source": layers} if has_source else {})
        model: dict[str, Any] = {"encoder": {"window_size": 3, "embeddings": embeddings}, "decoder": decoder}
        return {"class_name": "NuQE", **common, "model": model}
    encoder = {"hidden_size": 100, "rnn_layers": 1, "dropout": 0.3, "embeddings": embeddings}
    return {
        "class_name": "PredictorEstimator",
        **common,
        "model": {"encoder": encoder, "decoder": {"hidden_size": 100, "dropout": 0.3}},
    }
