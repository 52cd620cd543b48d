"""Shards, without an engine that distributes them; for the engine see test_ray_pool.py."""

from __future__ import annotations

import gzip
import json
import logging
import time
import tracemalloc
from collections.abc import Callable, Iterator
from contextlib import nullcontext
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pyarrow as pa
import pyarrow.dataset
import pyarrow.parquet as pq
import pytest
from typer.testing import CliRunner

from kiwi.cli import app
from kiwi.data.segments.shards import LONGEST_LINE
from kiwi.exceptions import CheckpointError, ConfigError, DataError
from kiwi.lib.bulk import bulk_from_configuration, pipeline, worker as bulk_worker
from kiwi.lib.bulk.config import BulkConfiguration, is_bulk
from kiwi.lib.bulk.job import JOB_FILE, Job, Task, pending_tasks, plan_job
from kiwi.lib.bulk.worker import ShardReport, load, predict_shard
from kiwi.lib.export import Export
from kiwi.runner import Predictions, Runner, load_system
from kiwi.runner.options import PredictOptions
from kiwi.runner.torch_engine import runner_of
from kiwi.systems.manifest.intervals import CalibrationGroup, ScoreIntervals
from kiwi.systems.qe_system import QESystem
from kiwi.utils.places import Place
from kiwi.utils.process import pace
from tests.pretrained import write_model

FIELDS = ("source", "target", "alignments")


@pytest.fixture(scope="module")
def loaded(trained: Any) -> Runner:
    return load_system(trained.path, threads=1)


@pytest.fixture(scope="module")
def rows(corpus: Any) -> list[dict[str, Any]]:
    columns = {field: corpus.lines("train", field)[:12] for field in FIELDS}
    return [
        {"id": 100 + number, **dict(zip(columns, texts, strict=True)), "score": number / 8}
        for number, texts in enumerate(zip(*columns.values(), strict=True))
    ]


@pytest.fixture
def options(trained: Any, tmp_path: Path, change: Any) -> Callable[..., dict[str, Any]]:
    base = {
        "engine": "ray",
        "system": {"load": str(trained.path)},
        "bulk": {
            "input": str(tmp_path / "in"),
            "output": str(tmp_path / "out"),
            "rows_at_once": 5,
            "on_bad_segment": "skip",
        },
    }
    (tmp_path / "in").mkdir()
    return lambda changes=None: change(base, changes or {})


def write_shard(path: Path, rows: list[dict[str, Any]]) -> None:
    if path.suffix == ".parquet":
        pq.write_table(pa.Table.from_pylist(rows), path)
        return
    names = list(rows[0])
    lines = {
        ".jsonl": [json.dumps(row) for row in rows],
        ".tsv": ["\t".join(names), *("\t".join(map(str, row.values())) for row in rows)],
        ".txt": [f"{row.get('source')}\t{row.get('target')}" for row in rows],
    }[path.suffix]
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")


def read_shard(path: Path) -> list[dict[str, Any]]:
    if path.suffix == ".parquet":
        found: list[dict[str, Any]] = pq.read_table(path).to_pylist()
        return found
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def rejected(path: Path) -> list[dict[str, Any]]:
    return read_shard(path) if path.exists() else []


def work(options: dict[str, Any], runner: Runner) -> dict[str, bulk_worker.ShardReport]:
    """All shards that are left, here and now."""
    job, tasks = plan_job(BulkConfiguration.from_dict(options), runner.about)
    rows_at_once = options["bulk"]["rows_at_once"]
    return {task.name: predict_shard(runner, job, task, rows_at_once) for task in pending_tasks(job, tasks)}


def expected_outputs(runner: Runner, rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    found: Predictions = runner.predict(*[[row[field] for row in rows] for field in FIELDS])
    columns = found.columns()
    return [dict(zip(columns, cells, strict=True)) for cells in zip(*columns.values(), strict=True)]


def assert_predicted(found: list[dict[str, Any]], rows: list[dict[str, Any]], runner: Runner) -> None:
    assert len(found) == len(rows)
    for one, row, outputs in zip(found, rows, expected_outputs(runner, rows), strict=True):
        assert list(one) == [*row, *outputs]
        assert {name: one[name] for name in row} == row
        for name, value in outputs.items():
            assert one[name] == (value if "labels" in name else pytest.approx(value, abs=2e-6)), name


@pytest.mark.parametrize("suffix", [".parquet", ".jsonl", ".tsv"])
@pytest.mark.parametrize("output", ["parquet", "jsonl", None])
def test_formats(
    options: Any, loaded: Runner, rows: list[dict[str, Any]], tmp_path: Path, suffix: str, output: str | None
) -> None:
    write_shard(tmp_path / "in" / f"a{suffix}", rows)
    (report,) = work(options({"bulk.output_format": output}), loaded).values()
    assert (report.segments, report.rejected, report.first_reject) == (12, 0, "")
    kind = output or ("parquet" if suffix == ".parquet" else "jsonl")
    kept = [{name: str(cell) for name, cell in row.items()} for row in rows] if suffix == ".tsv" else rows
    found = read_shard(tmp_path / "out" / f"a.{kind}")
    assert_predicted(found, kept, loaded)
    names = {path.relative_to(tmp_path / "out").as_posix() for path in (tmp_path / "out").rglob("*")}
    assert names == {f"a.{kind}", JOB_FILE}


def test_text(options: Any, rows: list[dict[str, Any]], corpus: Any, tmp_path: Path) -> None:
    encoder = write_model("bert", tmp_path / "encoder")
    model = {"encoder": {"model_name": str(encoder)}, "outputs": {"sentence_level": {"hter": True}}}
    config = QESystem.Config.from_dict({"class_name": "Bert", "model": model})
    system = runner_of(QESystem.build(config, {"sentence_scores": ["0.1", "0.3"]}))
    write_shard(tmp_path / "in" / "a.txt", rows)
    work(options({"bulk.columns.source": "src"}), system)
    expected = system.predict([row["source"] for row in rows], [row["target"] for row in rows]).columns()
    assert read_shard(tmp_path / "out" / "a.jsonl") == [
        {"src": row["source"], "target": row["target"], "sentence_scores": pytest.approx(score, abs=2e-6)}
        for row, score in zip(rows, expected["sentence_scores"], strict=True)
    ]


@pytest.mark.parametrize("suffix", [".txt", ".tsv", ".jsonl", ".parquet"])
def test_shards_without_alignments_are_aligned(
    options: Any, trained: Any, rows: list[dict[str, Any]], exported_aligner: Path, tmp_path: Path, suffix: str
) -> None:
    texts = [{name: row[name] for name in ("source", "target")} for row in rows]
    write_shard(tmp_path / "in" / f"a{suffix}", texts)
    if suffix == ".jsonl":  # whose first row is none
        path = tmp_path / "in" / "a.jsonl"
        path.write_text("no row\n" + path.read_text(encoding="utf-8"), encoding="utf-8")
    runner = load_system(trained.path, threads=1, aligner=exported_aligner)
    work(options(), runner)
    (written,) = [path for path in (tmp_path / "out").iterdir() if path.stem == "a"]
    lines = runner.auto_aligner.load().align(*([row[name] for row in texts] for name in ("source", "target")))
    aligned = [row | {"alignments": line} for row, line in zip(texts, lines, strict=True)]
    assert [list(row) for row in read_shard(written)] == [[*texts[0], *expected_outputs(runner, aligned)[0]]] * 12
    for found, expected in zip(read_shard(written), expected_outputs(runner, aligned), strict=True):
        assert found["sentence_scores"] == pytest.approx(expected["sentence_scores"], abs=2e-6)
        assert found["target_tags"] == pytest.approx(expected["target_tags"], abs=2e-6)
    with pytest.raises(ConfigError, match=r"This system \(NuQE\) reads alignments, which are not given"):
        work(options({"bulk.align": False}), runner)
    missing = "text has only source and target" if suffix == ".txt" else "no column 'alignments'"
    with pytest.raises((ConfigError, DataError), match=missing):  # a column that is named has to be there
        work(options({"bulk.columns.alignments": "alignments"}), runner)


def test_a_job_remembers_its_aligner(
    options: Any, loaded: Runner, rows: Any, exported_aligner: Path, tmp_path: Path
) -> None:
    write_shard(tmp_path / "in" / "a.jsonl", [{name: row[name] for name in ("source", "target")} for row in rows])
    config = BulkConfiguration.from_dict(options({"bulk.aligner": str(exported_aligner)}))
    job, tasks = plan_job(config, loaded.about)
    assert (job.aligns, job.aligner) == (True, str(exported_aligner))
    runner = load_system(loaded.about.place, aligner=exported_aligner)
    job = job.with_aligner(runner.prepare_aligner())
    found = load(job, PredictOptions(threads=1))
    assert (found.prepare_aligner(), found.auto_aligner.announces) == (job.options["aligner"], False)
    with pytest.raises(CheckpointError, match=r"\(aligner: found tiny, layer 2, fp32, \w+, expected another\)"):
        load(job.with_aligner("another"), PredictOptions(threads=1))
    for task in pending_tasks(job, tasks):
        predict_shard(found, job, task, 5)
    with pytest.raises(ConfigError, match="aligner: found another; it was tiny, layer 2, fp32"):
        pending_tasks(job.with_aligner("another"), tasks)


def test_alignments_and_an_aligner(options: Any, loaded: Runner, rows: Any, tmp_path: Path) -> None:
    write_shard(tmp_path / "in" / "a.jsonl", rows)
    with pytest.raises(ConfigError, match=r"bulk\.aligner: found x, but the shards have alignments"):
        plan_job(BulkConfiguration.from_dict(options({"bulk.aligner": "x"})), loaded.about)
    with pytest.raises(ConfigError, match=r"bulk\.aligner: given, but align is false"):
        BulkConfiguration.from_dict(options({"bulk.aligner": "x", "bulk.align": False}))


def test_other_names_of_columns(options: Any, loaded: Runner, rows: list[dict[str, Any]], tmp_path: Path) -> None:
    renamed = [{"src": row["source"], "mt": row["target"], "a": row["alignments"], "source": 1} for row in rows]
    write_shard(tmp_path / "in" / "a.jsonl", renamed)
    names = {"bulk.columns.source": "src", "bulk.columns.target": "mt", "bulk.columns.alignments": "a"}
    work(options(names), loaded)
    found = read_shard(tmp_path / "out" / "a.jsonl")
    assert [one["source"] for one in found] == [1] * 12
    # Exactly as under the usual names, in the same chunks.
    (tmp_path / "in" / "a.jsonl").unlink()
    write_shard(tmp_path / "in" / "b.jsonl", rows)
    work(options({"bulk.output": str(tmp_path / "usual")}), loaded)
    usual = read_shard(tmp_path / "usual" / "b.jsonl")
    assert_predicted(usual, rows, loaded)
    assert [one["target_tags"] for one in found] == [one["target_tags"] for one in usual]


def test_bad_rows_go_to_a_file_and_empty_segments_have_no_score(
    options: Any, loaded: Runner, rows: list[dict[str, Any]], tmp_path: Path
) -> None:
    empty = rows[0] | {"source": "", "target": "", "alignments": ""}
    bad = [rows[1] | {"target": " "}, rows[2] | {"alignments": "99-0"}]
    write_shard(tmp_path / "in" / "a.jsonl", [*rows[:6], bad[0], empty, *rows[6:], bad[1]])
    (report,) = work(options(), loaded).values()
    assert (report.segments, report.rejected) == (13, 2)
    assert report.first_reject == "line 7: found an empty target; expected at least one word."
    found = read_shard(tmp_path / "out" / "a.jsonl")
    assert_predicted(found[:6] + found[7:], rows, loaded)
    assert found[6]["sentence_scores"] is found[6]["binary"] is None
    assert found[6]["target_tags"] == []
    one, other = rejected(tmp_path / "out" / "_rejects" / "a.jsonl")
    assert one == {
        "file": str(tmp_path / "in" / "a.jsonl"),
        "line": 7,
        "reason": "found an empty target; expected at least one word.",
        "row": json.dumps(bad[0]),
    }
    assert (other["line"], json.loads(other["row"])) == (15, bad[1])


@pytest.mark.parametrize("suffix", [".parquet", ".jsonl", ".tsv"])
def test_bad_rows_keep_their_place(
    options: Any, loaded: Runner, rows: list[dict[str, Any]], tmp_path: Path, suffix: str
) -> None:
    bad = [rows[1] | {"target": " "}, rows[2] | {"alignments": "99-0"}]
    shard = tmp_path / "in" / f"a{suffix}"
    write_shard(shard, [*rows[:6], bad[0], *rows[6:], bad[1]])
    (report,) = work(options({"bulk.on_bad_segment": None}), loaded).values()
    assert (report.segments, report.rejected) == (12, 2)
    found = read_shard(next((tmp_path / "out").glob("a.*")))
    assert [str(one["id"]) for one in found] == [str(one["id"]) for one in [*rows[:6], bad[0], *rows[6:], bad[1]]]
    assert [index for index, one in enumerate(found) if one["sentence_scores"] is None] == [6, 13]
    assert found[6]["target_tags"] == []
    assert [one["line"] - (suffix == ".tsv") for one in rejected(tmp_path / "out" / "_rejects" / "a.jsonl")] == [7, 14]


def test_a_bad_row_stops_its_shard(options: Any, loaded: Runner, rows: list[dict[str, Any]], tmp_path: Path) -> None:
    write_shard(tmp_path / "in" / "a.jsonl", [rows[0], rows[1] | {"source": ""}])
    with pytest.raises(DataError, match=r"a\.jsonl, line 2: found an empty source"):
        work(options({"bulk.on_bad_segment": "stop"}), loaded)
    assert not (tmp_path / "out" / "a.jsonl").exists()


def test_only_bad_rows_leave_an_empty_shard_that_is_done(
    options: Any, loaded: Runner, rows: list[dict[str, Any]], tmp_path: Path
) -> None:
    write_shard(tmp_path / "in" / "a.parquet", [row | {"source": ""} for row in rows])
    (report,) = work(options(), loaded).values()
    assert (report.segments, report.rejected) == (0, 12)
    found = pq.read_table(tmp_path / "out" / "a.parquet")
    assert found.num_rows == 0
    assert {"id", "score", "sentence_scores"} <= set(found.column_names)
    assert [one["row"]["id"] for one in rejected(tmp_path / "out" / "_rejects" / "a.jsonl")] == list(range(100, 112))
    assert work(options(), loaded) == {}


def test_the_output_is_a_data_set_for_other_tools(
    options: Any, loaded: Runner, rows: list[dict[str, Any]], tmp_path: Path
) -> None:
    (tmp_path / "in" / "lang=de").mkdir()
    write_shard(tmp_path / "in" / "lang=de" / "a.parquet", rows)
    write_shard(tmp_path / "in" / "b.parquet", [rows[0], rows[1] | {"source": ""}])
    work(options(), loaded)
    found = pyarrow.dataset.dataset(tmp_path / "out", partitioning="hive").to_table()
    assert sorted(found["id"].to_pylist()) == sorted([100, *range(100, 112)])
    assert set(found["lang"].to_pylist()) == {"de", None}


@pytest.mark.parametrize("suffix", [".parquet", ".jsonl"])
def test_behind_urls(options: Any, loaded: Runner, rows: list[dict[str, Any]], tmp_path: Path, suffix: str) -> None:
    write_shard(tmp_path / f"a{suffix}", [*rows, rows[0] | {"target": ""}])
    root = f"memory://bulk{suffix}"
    with (Place.of(f"{root}/in") / f"x/a{suffix}").writing() as file:
        file.write((tmp_path / f"a{suffix}").read_bytes())
    (tmp_path / f"a{suffix}").unlink()
    there = {"bulk.input": f"{root}/in/*/*{suffix}", "bulk.output": f"{root}/out"}
    assert work(options(there), loaded)["x/a"].segments == 12
    assert work(options(there), loaded) == {}
    output = Place.of(f"{root}/out")
    assert output.files() == {JOB_FILE, f"x/a{suffix}", "_rejects/x/a.jsonl"}
    with (output / f"x/a{suffix}").reading() as found:
        (tmp_path / f"a{suffix}").write_bytes(found.read())
    assert_predicted(read_shard(tmp_path / f"a{suffix}"), rows, loaded)


def test_another_start_does_what_is_left(
    options: Any, loaded: Runner, rows: list[dict[str, Any]], tmp_path: Path
) -> None:
    for name in "abc":
        write_shard(tmp_path / "in" / f"{name}.jsonl", rows)
    assert list(work(options(), loaded)) == ["a", "b", "c"]
    (tmp_path / "out" / "b.jsonl").unlink()
    before = {path.name: path.stat().st_mtime_ns for path in (tmp_path / "out").iterdir()}
    assert list(work(options({"bulk.rows_at_once": 3, "bulk.workers": 1}), loaded)) == ["b"]
    after = {path.name: path.stat().st_mtime_ns for path in (tmp_path / "out").iterdir()}
    assert after.items() >= before.items()


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"system.model.outputs.word_level.target": False}, "outputs: found ['sentence_scores',"),
        ({"bulk.output_format": "parquet"}, "output_format: found parquet; it was jsonl"),
        ({"bulk.columns.alignments": "other"}, "columns: found {'source': 'source', 'target': 'target', 'alignments':"),
        ({"bulk.format": "jsonl"}, "format: found jsonl; it was None"),
    ],
)
def test_another_job_in_the_same_place(
    options: Any, loaded: Runner, rows: list[dict[str, Any]], tmp_path: Path, changes: dict[str, Any], message: str
) -> None:
    write_shard(tmp_path / "in" / "a.jsonl", [row | {"other": row["alignments"]} for row in rows])
    work(options(), loaded)
    changed = options(changes)
    system = load_system(changed["system"]["load"], model=changed["system"].get("model"), threads=1)
    with pytest.raises(ConfigError) as error:
        work(changed, system)
    assert "out has results of another job" in str(error.value)
    assert message in str(error.value)


def test_a_job_that_never_began_is_in_nobodys_way(
    options: Any, loaded: Runner, rows: list[dict[str, Any]], tmp_path: Path
) -> None:
    write_shard(tmp_path / "in" / "a.jsonl", rows)
    job, tasks = plan_job(BulkConfiguration.from_dict(options()), loaded.about)
    assert len(pending_tasks(job, tasks)) == 1
    assert list(work(options({"bulk.output_format": "parquet"}), loaded)) == ["a"]
    assert json.loads((tmp_path / "out" / JOB_FILE).read_text())["output_format"] == "parquet"


def test_files_of_nobody_knows_whom(options: Any, loaded: Runner, rows: list[dict[str, Any]], tmp_path: Path) -> None:
    write_shard(tmp_path / "in" / "a.jsonl", rows)
    work(options(), loaded)
    (tmp_path / "out" / JOB_FILE).unlink()
    with pytest.raises(ConfigError, match=rf"found .*/out/a\.jsonl, but no {JOB_FILE} that describes its job"):
        work(options(), loaded)
    (tmp_path / "out" / JOB_FILE).write_text("{}")
    with pytest.raises(ConfigError, match="found no description of a job"):
        work(options(), loaded)


def test_nothing_is_written_of_a_shard_that_breaks_off(
    options: Any, loaded: Runner, rows: list[dict[str, Any]], tmp_path: Path
) -> None:
    write_shard(tmp_path / "in" / "a.jsonl", [rows[0], *[row | {"target": ""} for row in rows], rows[1]])

    class Breaks(Runner):
        def predict_columns(self, *arguments: Any, **options: Any) -> Predictions:
            if breaking:
                raise RuntimeError("breaks off")
            return super().predict_columns(*arguments, **options)

    breaking = True
    with pytest.raises(RuntimeError, match="breaks off"):
        work(options(), Breaks(loaded.engine))
    assert {path.name for path in (tmp_path / "out").iterdir()} == {JOB_FILE}
    breaking = False
    assert work(options(), Breaks(loaded.engine))["a"].segments == 2


def test_rejects_of_a_former_attempt_go(
    options: Any, loaded: Runner, rows: list[dict[str, Any]], tmp_path: Path
) -> None:
    write_shard(tmp_path / "in" / "a.jsonl", [rows[0], rows[1] | {"target": ""}])
    work(options(), loaded)
    assert len(rejected(tmp_path / "out" / "_rejects" / "a.jsonl")) == 1
    (tmp_path / "out" / "a.jsonl").unlink()
    write_shard(tmp_path / "in" / "a.jsonl", rows)
    work(options(), loaded)
    assert not (tmp_path / "out" / "_rejects" / "a.jsonl").exists()


@pytest.mark.parametrize(
    ("files", "changes", "kind", "message"),
    [
        ({}, {}, DataError, "in: found no such files; expected a file, directory or glob of files that end in .jsonl"),
        ({}, {}, DataError, " of files that end in .jsonl, .parquet, .tsv, .txt"),
        ({"a.jsonl": {}, "a.tsv": {}}, {}, ConfigError, "would both be written as 'a'"),
        (
            {"a.jsonl": {"binary": 1}},
            {},
            DataError,
            "a.jsonl, line 1: found a column 'binary'; expected no column with the name",
        ),
        ({"a.tsv": {"binary": 1}}, {}, DataError, "a.tsv, line 1: found a column 'binary'"),
        ({"a.parquet": {"binary": 1}}, {}, DataError, "a.parquet: found a column 'binary'"),
        ({"a.tsv": {}}, {"bulk.columns.source": "src"}, DataError, "line 1: found no column 'src'"),
        (
            {"a.jsonl": {}},
            {"bulk.output": "{in}/out"},
            ConfigError,
            "in/out/a.jsonl would be read as input, because",
        ),
        ({"a.parquet": {}}, {"bulk.output": "{in}", "bulk.output_format": "jsonl"}, ConfigError, "be read as input"),
        (
            {"a.jsonl": {}},
            {"bulk.input": "{in}/**/*.jsonl", "bulk.output": "{in}/out"},
            ConfigError,
            "would be read as input, because",
        ),
        ({"a.md": {}}, {"bulk.input": "{in}/a.md"}, DataError, "a.md: found the suffix '.md'; expected one of"),
    ],
)
def test_what_is_refused_before_any_work(
    options: Any,
    loaded: Runner,
    rows: list[dict[str, Any]],
    tmp_path: Path,
    files: dict[str, Any],
    changes: dict[str, Any],
    kind: type[Exception],
    message: str,
) -> None:
    for name, more in files.items():
        if name.endswith(".md"):
            (tmp_path / "in" / name).write_text("x")
        else:
            write_shard(tmp_path / "in" / name, [row | more for row in rows])
    changes = {key: value.replace("{in}", str(tmp_path / "in")) for key, value in changes.items()}
    with pytest.raises(kind) as error:
        work(options(changes), loaded)
    assert message in str(error.value)
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(("given", "output"), [("{in}", "{in}/_out"), ("{in}/*.jsonl", "{in}/out")])
def test_results_below_the_input(
    options: Any, loaded: Runner, rows: list[dict[str, Any]], tmp_path: Path, given: str, output: str
) -> None:
    write_shard(tmp_path / "in" / "a.jsonl", rows)
    changes = {"bulk.input": given, "bulk.output": output}
    changes = {key: value.replace("{in}", str(tmp_path / "in")) for key, value in changes.items()}
    assert list(work(options(changes), loaded)) == ["a"]
    assert work(options(changes), loaded) == {}


@pytest.fixture
def without_ray(loaded: Runner, monkeypatch: pytest.MonkeyPatch) -> None:
    """Predict shards here instead of on Ray, with the reports of workers."""

    def predict_shards(job: Job, left: list[Task], pool: Any, *, verbose: bool) -> Iterator[ShardReport]:
        for task in left:
            try:
                yield predict_shard(loaded, job, task, 5)
            except DataError as error:
                yield ShardReport(task.name, error=str(error))

    monkeypatch.setattr("kiwi.lib.bulk.ray_pool.predict_shards", predict_shards)
    monkeypatch.setattr("kiwi.lib.bulk.ray_pool.open_pool", lambda *_, **__: nullcontext(SimpleNamespace(workers=1)))


def predict(config: Path) -> int:
    """Run ``kiwi predict`` here, and return its exit code."""
    return CliRunner().invoke(app, ["predict", str(config)]).exit_code


@pytest.mark.usefixtures("without_ray")
def test_bad_rows_beside_shards_that_were_done_before(
    options: Any, loaded: Runner, rows: list[dict[str, Any]], tmp_path: Path
) -> None:
    write_shard(tmp_path / "in" / "a.jsonl", rows)
    work(options(), loaded)
    write_shard(tmp_path / "in" / "b.jsonl", [row | {"target": ""} for row in rows])
    info = bulk_from_configuration(options())
    assert (info.skipped, info.done, info.segments, info.rejected) == (1, 1, 0, 12)


@pytest.mark.usefixtures("without_ray")
def test_bad_rows_of_shards_that_were_done_before(
    options: Any, rows: list[dict[str, Any]], tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    write_shard(tmp_path / "in" / "a.jsonl", [*rows, rows[0] | {"target": ""}])
    write_shard(tmp_path / "in" / "b.jsonl", rows)
    (tmp_path / "bulk.yaml").write_text(json.dumps(options()))
    assert predict(tmp_path / "bulk.yaml") == 3
    caplog.clear()
    assert predict(tmp_path / "bulk.yaml") == 3
    assert "1 of the 2 shards that were done before have bad rows; they are in" in caplog.text
    (tmp_path / "out" / "b.jsonl").unlink()
    info = bulk_from_configuration(options())
    assert (info.skipped, info.done, info.rejected, info.shards_with_rejects) == (1, 1, 0, 1)
    write_shard(tmp_path / "in" / "a.jsonl", rows)
    (tmp_path / "out" / "a.jsonl").unlink()
    assert predict(tmp_path / "bulk.yaml") == 0


@pytest.mark.usefixtures("without_ray")
@pytest.mark.parametrize(
    ("name", "content"),
    [("a.parquet", b"PAR1xx"), ("a.tsv.gz", gzip.compress(b"source\ttarget\n")[:12]), ("a.tsv", b"\xff\n")],
    ids=["parquet", "gzip", "text"],
)
def test_a_damaged_shard_that_comes_first(
    options: Any, rows: list[dict[str, Any]], tmp_path: Path, name: str, content: bytes
) -> None:
    (tmp_path / "in" / name).write_bytes(content)
    with pytest.raises(DataError, match=rf"^{tmp_path}/in/{name}.*: "):  # nothing can be read
        bulk_from_configuration(options())
    assert not (tmp_path / "out").exists()
    write_shard(tmp_path / "in" / "b.tsv", rows)
    with pytest.raises(DataError, match=r"^1 of 2 shards have no results; the others are complete\."):
        bulk_from_configuration(options())
    assert len(read_shard(tmp_path / "out" / "b.jsonl")) == 12
    write_shard(tmp_path / "in" / "b.tsv", [{"source": row["source"]} for row in rows])
    with pytest.raises(DataError, match=r"b\.tsv, line 1: found no column 'target'"):
        bulk_from_configuration(options({"bulk.output": str(tmp_path / "other")}))


def test_another_system_at_a_workers_path(options: Any, loaded: Runner, rows: Any, tmp_path: Path) -> None:
    write_shard(tmp_path / "in" / "a.jsonl", rows)
    job, _ = plan_job(BulkConfiguration.from_dict(options()), loaded.about)
    assert load(job, PredictOptions(threads=1)).about.sha256 == loaded.about.sha256
    for key, value in (("sha256", "0" * 64), ("precision", "int8"), ("export_sha256", "0" * 64)):
        message = rf"\({key}: found \w+, expected {value}\)\. Copy that system to this path on all machines"
        with pytest.raises(CheckpointError, match=message):
            load(replace(job, system={**job.system, key: value}), PredictOptions(threads=1))


def test_an_export_does_not_go_on_with_the_results_of_its_checkpoint(
    options: Any, exported: Export, loaded: Runner, rows: list[dict[str, Any]], tmp_path: Path
) -> None:
    write_shard(tmp_path / "in" / "a.jsonl", rows)
    work(options(), loaded)
    runner = load_system(exported.path, threads=1)
    assert runner.about.sha256 == loaded.about.sha256
    with pytest.raises(ConfigError, match="results of another job"):
        work(options({"system.load": str(exported.path)}), runner)


def test_memory_does_not_grow_with_the_shard(options: Any, loaded: Runner, rows: Any, tmp_path: Path) -> None:
    peaks = []
    for count in (1, 20):
        write_shard(tmp_path / "in" / "a.jsonl", rows * 10 * count)
        tracemalloc.start()
        work(options({"bulk.output": str(tmp_path / f"out{count}"), "bulk.rows_at_once": 100}), loaded)
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
    assert peaks[1] < 1.5 * peaks[0] < LONGEST_LINE


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"bulk.output": None}, "bulk.output: required, but not given"),
        ({"bulk.input": []}, "bulk.input: "),
        ({"bulk.gpus_per_worker": 2}, "bulk.gpus_per_worker: at most 1"),
        ({"bulk.address": "ray://x:10001"}, "bulk.address: found a URL; run the command on a machine of the cluster"),
        ({"bulk.workers": 0}, "bulk.workers: "),
        ({"bulk.format": "csv"}, "bulk.format: "),
        ({"bulk.outputs": "x"}, "bulk.outputs: unknown key; did you mean 'output'?"),
        ({"bulk.columns.source": "target"}, "bulk.columns.source: found 'target', as for another field"),
        ({"system.batch_size": 8}, "system.batch_size: unknown key"),
    ],
)
def test_mistakes_of_a_configuration(options: Any, changes: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError) as error:
        BulkConfiguration.from_dict(options(changes))
    assert message in str(error.value)


@pytest.mark.parametrize(
    ("given", "found"),
    [
        ({}, False),
        ({"engine": "local", "run": {}}, False),
        ({"engine": "ray", "bulk": {}}, True),
        ({"engine": "spark"}, "engine: found 'spark'; expected one of local, ray"),
        ({"bulk": {}}, "bulk: given, but the engine is 'local'"),
        ({"engine": "ray", "data": {}, "run": {}}, "run, data: given, but the engine is 'ray'"),
    ],
)
def test_which_engine(given: dict[str, Any], found: bool | str) -> None:
    if isinstance(found, bool):
        assert is_bulk(given) == found
        return
    with pytest.raises(ConfigError) as error:
        is_bulk(given)
    assert str(error.value).startswith(found)


def test_a_job_says_how_far_it_is_while_shards_are_predicted(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(pace, "SECONDS_BETWEEN_LINES", 0.01)

    def reports() -> Iterator[ShardReport]:
        for name in "abc":
            deadline = time.monotonic() + 10
            n_before = len(caplog.records)
            while len(caplog.records) < n_before + 2 and time.monotonic() < deadline:
                time.sleep(0.005)  # no shard is done for a while
            yield ShardReport(name, segments=100)

    with caplog.at_level(logging.INFO, logger="kiwi"):
        pipeline._collect(reports(), pipeline.BulkInfo("out", 3, 0))
    lines = [record.getMessage() for record in caplog.records]
    assert len(lines) >= 7
    assert lines[0].startswith("0 of 3 shards done; 0 segments in ")
    assert any(line.startswith("2 of 3 shards done; 200 segments in ") and line.endswith(" left") for line in lines)
    assert lines[-1].startswith("3 of 3 shards done; 300 segments in ")


def test_language_pairs_are_read_where_intervals_depend_on_them(
    options: Any, loaded: Runner, rows: list[dict[str, Any]], tmp_path: Path
) -> None:
    groups = {"all": CalibrationGroup(20, 0.1), "en-de": CalibrationGroup(9, 0.2)}
    about = replace(loaded.about, data=replace(loaded.about.data, intervals=ScoreIntervals(0.9, groups)))
    write_shard(tmp_path / "in" / "a.jsonl", [row | {"lp": "en-de"} for row in rows])
    job, _ = plan_job(BulkConfiguration.from_dict(options()), about)
    assert job.options["columns"]["lp"] == "lp"
    assert {"sentence_scores_low", "sentence_scores_high"} <= set(job.outputs)
    job, _ = plan_job(BulkConfiguration.from_dict(options()), loaded.about)
    assert "lp" not in job.options["columns"]
    with pytest.raises(ConfigError, match="not calibrated by language pair"):
        plan_job(BulkConfiguration.from_dict(options({"bulk.columns": {"lp": "lp"}})), loaded.about)
