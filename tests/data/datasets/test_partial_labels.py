"""Segments that lack labels of some kinds."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from kiwi.data.datasets.parts import InputConfig, OutputConfig, TrainingConfig
from kiwi.data.datasets.wmt_qe_dataset import WMTQEDataset
from kiwi.exceptions import DataError

FILES = {
    "source": "Close it .\nOpen it .\nThe house .\n",
    "target": "Zu .\nAuf .\nDas Haus .\n",
    "lp": "en-de\nen-de\nen-fr\n",
    "sentence_scores": "0.5\n\nnan\n",
    "target_tags": "\nOK OK OK BAD OK\n  \n",
    "source_tags": "\nOK BAD OK\n\n",
    "binary": "BAD\n\n\n",
    "error_spans": "seg\tstarts\tends\tseverities\n1\t0\t3\tmajor\n0\t-1\t-1\tno-error\n",
}
PAIRS = "lp\tseg\tstarts\tends\tseverities\nen-fr\t0\t0\t3\tmajor\n"
OUTPUTS = ("sentence_scores", "target_tags", "source_tags", "binary", "error_spans")


def part(directory: Path, *fields: str, **changed: str) -> TrainingConfig:
    paths = {field: directory / field for field in ("source", "target", "lp", *fields)}
    for field, path in paths.items():
        path.write_text(changed.get(field, FILES[field]), encoding="utf-8")
    inputs = {field: path for field, path in paths.items() if field not in OUTPUTS}
    outputs = {field: path for field, path in paths.items() if field in OUTPUTS}
    return TrainingConfig(input=InputConfig(**inputs), output=OutputConfig(**outputs))


def test_blank_lines_are_segments_without_a_label(tmp_path: Path) -> None:
    found = WMTQEDataset.read(part(tmp_path, *OUTPUTS, error_spans=PAIRS), partial=True).columns
    assert {field: found[field] for field in (*OUTPUTS, "gap_tags")} == {
        "sentence_scores": ["0.5", "nan", "nan"],
        "target_tags": ["", "OK BAD", ""],
        "gap_tags": ["", "OK OK OK", ""],
        "source_tags": ["", "OK BAD OK", ""],
        "binary": ["BAD", "", ""],
        "error_spans": ["", "", "0:3:major"],
    }


@pytest.mark.parametrize(
    ("fields", "changed", "message"),
    [
        (["sentence_scores"], {}, "sentence_scores, line 2: found no label of this segment; expected at least one"),
        (
            ["sentence_scores", "source_tags"],
            {},
            "source_tags, line 3: found no label of this segment here or in .*sentence_scores; expected at least one",
        ),
        (["sentence_scores", "binary"], {"binary": "\n\n\n"}, "binary: found no label; expected at least one"),
        (["target_tags"], {"target_tags": "\nOK\n\n"}, "target_tags, line 2: found 1 tags; expected 2 .* or 5"),
        (["source_tags"], {"source_tags": "\nOK OK OK\nOK\n"}, "source_tags, line 3: found 1 tags; expected 3"),
    ],
)
def test_what_is_refused(tmp_path: Path, fields: list[str], changed: dict[str, str], message: str) -> None:
    with pytest.raises(DataError, match=message):
        WMTQEDataset.read(part(tmp_path, *fields, **changed), partial=True)


@pytest.mark.parametrize("field", OUTPUTS)
def test_without_the_option_each_segment_needs_each_label(tmp_path: Path, field: str) -> None:
    with pytest.raises(DataError, match=field):
        WMTQEDataset.read(part(tmp_path, field))


def test_penalties_need_raters(tmp_path: Path) -> None:
    config: Any = WMTQEDataset.Config.from_dict({"spans": {"as_scores": True}}).spans
    own = part(tmp_path, "binary", "error_spans", error_spans=PAIRS, binary="OK\nOK\n\n")
    assert WMTQEDataset.read(own, config, partial=True).columns["sentence_scores"] == ["nan", "nan", "5.0"]


def test_penalties_are_those_of_mqm_at_most(tmp_path: Path) -> None:
    config: Any = WMTQEDataset.Config.from_dict({"spans": {"as_scores": True}}).spans
    many = "\t".join(" ".join(own * 6) for own in (["0"], ["1"], ["major"]))
    (tmp_path / "spans").write_text(f"starts\tends\tseverities\n{many}\n0\t1\tmajor\n-1\t-1\tno-error\n")
    files = {field: tmp_path / field for field in ("source", "target")}
    for field, path in files.items():
        path.write_text(FILES[field])
    own = TrainingConfig(input=InputConfig(**files), output=OutputConfig(error_spans=tmp_path / "spans"))
    assert WMTQEDataset.read(own, config).columns["sentence_scores"] == ["25.0", "5.0", "0.0"]
