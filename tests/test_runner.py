from __future__ import annotations

import math
from dataclasses import asdict, fields
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import kiwi
from kiwi.exceptions import ConfigError, DataError, KiwiError
from kiwi.runner import Predictions, PredictOptions, Runner, load_system
from kiwi.runner.torch_engine import runner_of
from kiwi.systems.qe_system import QESystem
from kiwi.utils.guard import RECORD_FILE
from tests.systems.test_qe_system import assert_same

INPUTS = ("source", "target", "alignments")
ROW = {"source": "the house is red .", "target": "das Haus ist rot .", "alignments": "0-0 1-1 2-2 3-3 4-4"}


class Noted:
    """Rows to batches, and a list of the rows."""

    def __init__(self, collate: Any, batches: list[Any]) -> None:
        self.collate = collate
        self.batches = batches

    def __getattr__(self, name: str) -> Any:
        return getattr(self.collate, name)

    def __call__(self, rows: Any) -> Any:
        self.batches.append(rows)
        return self.collate(rows)


def held_out(corpus: Any, *names: str) -> dict[str, list[str]]:
    return {name: corpus.lines("test", name) for name in names or INPUTS}


def test_every_attribute_counts_its_words(runner: Runner, corpus: Any) -> None:
    data = held_out(corpus)
    found = runner.predict(**data)
    n_source = [len(line.split()) for line in data["source"]]
    n_target = [len(line.split()) for line in data["target"]]
    assert len(found) == 10
    for values in (found.sentences_hter, found.sentences_hter_deviation, found.sentences_binary_BAD_probabilities):
        assert values is not None
        assert len(values) == 10
        assert all(0.0 <= value <= 1.0 for value in values)
    assert found.sentences_binary_labels is not None
    assert set(found.sentences_binary_labels) <= {"OK", "BAD"}
    for probabilities, labels, counts in (
        (found.target_tags_BAD_probabilities, found.target_tags_labels, n_target),
        (found.gap_tags_BAD_probabilities, found.gap_tags_labels, [n + 1 for n in n_target]),
        (found.source_tags_BAD_probabilities, found.source_tags_labels, n_source),
    ):
        assert probabilities is not None
        assert labels is not None
        assert [len(row) for row in probabilities] == counts
        assert labels == [["BAD" if value > 0.5 else "OK" for value in row] for row in probabilities]
        assert {"OK", "BAD"} == {label for row in labels for label in row}


def test_names_that_openkiwi_has() -> None:
    expected = {
        "sentences_hter",
        *(f"{side}_tags_{kind}" for side in ("target", "source", "gap") for kind in ("BAD_probabilities", "labels")),
    }
    assert expected <= {field.name for field in fields(Predictions)}


def test_the_order_of_the_segments_does_not_matter_to_a_bit(runner: Runner, corpus: Any) -> None:
    data = {name: corpus.lines("train", name) for name in INPUTS}
    seen: list[list[Any]] = []
    collate = runner.engine.collate
    for step in (1, -1):
        batches: list[Any] = []
        runner.engine.collate = Noted(collate, batches)  # type: ignore[assignment]
        found = runner.predict(**{name: column[::step] for name, column in data.items()}, batch_size=3)
        seen.append([batches, found.sentences_hter[::step], found.gap_tags_BAD_probabilities[::step]])
    runner.engine.collate = collate
    assert seen[0] == seen[1]
    assert len(seen[0][0]) == 14


def test_the_order_of_the_segments_is_kept(runner: Runner, corpus: Any) -> None:
    data = held_out(corpus)
    # Of very different length, so that batches are far from the given order.
    data = {name: [column[0], " ".join([column[1]] * 3), *column[2:]] for name, column in data.items()}
    together = runner.predict(**data, batch_size=4)
    for index in range(10):
        alone = runner.predict(**{name: [column[index]] for name, column in data.items()})
        assert together.sentences_hter is not None
        assert alone.sentences_hter == [pytest.approx(together.sentences_hter[index], abs=1e-5)]
        assert together.target_tags_BAD_probabilities is not None
        assert alone.target_tags_BAD_probabilities == [
            pytest.approx(together.target_tags_BAD_probabilities[index], abs=1e-5)
        ]


@pytest.mark.parametrize("sizes", [{"batch_size": 1}, {"batch_tokens": 1}, {"batch_tokens": 40}, {"batch_size": 3}])
@pytest.mark.parametrize("workers", [0, 2])
def test_the_batch_does_not_matter(runner: Runner, corpus: Any, sizes: dict[str, int], workers: int) -> None:
    data = held_out(corpus)
    assert_same(runner.predict(**data), runner.predict(**data, **sizes, num_data_workers=workers))


def test_by_position(runner: Runner, corpus: Any) -> None:
    data = held_out(corpus)
    assert asdict(runner.predict(*data.values(), 4)) == asdict(runner.predict(**data, batch_size=4))


def test_workers_change_nothing(runner: Runner, corpus: Any) -> None:
    data = held_out(corpus)
    one, two = runner.predict(**data, batch_size=4), runner.predict(**data, batch_size=4, num_data_workers=2)
    assert asdict(one) == asdict(two)


def test_dropout_is_off(corpus: Any, plain_system: QESystem) -> None:
    plain_system.train()
    data, runner = held_out(corpus), runner_of(plain_system)
    assert asdict(runner.predict(**data)) == asdict(runner.predict(**data))


def test_what_a_system_does_not_predict_is_none(pos_system: QESystem, corpus: Any) -> None:
    data = held_out(corpus, *INPUTS, "source_pos", "target_pos")
    found = runner_of(pos_system).predict(**data)
    assert found.sentences_hter is not None
    missing = [field.name for field in fields(found) if getattr(found, field.name) is None]
    beside_scores = [f"sentences_hter_{what}" for what in ("deviation", "low", "high")]
    assert missing == [*beside_scores, "error_spans", "mqm_score", "combined_score"]


def test_nothing_to_predict(runner: Runner) -> None:
    found = runner.predict([], [], [])
    assert len(found) == 0
    assert found.sentences_hter == []
    assert found.target_tags_labels == []


# Empty segments.


@pytest.mark.parametrize("batch_size", [1, 3])
@pytest.mark.parametrize("blank", ["", "  ", "\t"])
def test_a_segment_with_both_sides_empty(runner: Runner, batch_size: int, blank: str) -> None:
    data = {name: [ROW[name], blank, ROW[name]] for name in INPUTS}
    found = runner.predict(**data, batch_size=batch_size)
    alone = runner.predict(**{name: [ROW[name]] for name in INPUTS})
    for values in (found.sentences_hter, found.sentences_hter_deviation, found.sentences_binary_BAD_probabilities):
        assert values is not None
        assert math.isnan(values[1])
        assert not math.isnan(values[0] + values[2])
    for name in ("target_tags", "gap_tags", "source_tags"):
        assert getattr(found, f"{name}_BAD_probabilities")[1] == []
        assert getattr(found, f"{name}_labels")[1] == []
        assert getattr(found, f"{name}_BAD_probabilities")[2] == pytest.approx(
            getattr(alone, f"{name}_BAD_probabilities")[0], abs=1e-5
        )
    assert found.targetgaps_tags_BAD_probabilities is not None
    assert found.targetgaps_tags_BAD_probabilities[1] == []


def test_only_empty_segments(runner: Runner, tmp_path: Path) -> None:
    found = runner.predict(["", ""], ["", ""], ["", ""])
    assert len(found) == 2
    assert found.sentences_hter is not None
    assert all(math.isnan(score) for score in found.sentences_hter)
    assert found.target_tags_labels == [[], []]
    assert found.targetgaps_tags_BAD_probabilities == [[], []]
    found.save(tmp_path)
    assert (tmp_path / "target_tags").read_text() == "\n\n"
    assert (tmp_path / "sentence_scores").read_text() == "nan\nnan\n"


@pytest.mark.parametrize(("side", "other"), [("source", "target"), ("target", "source")])
def test_one_side_empty_is_an_error_that_names_it(runner: Runner, side: str, other: str) -> None:
    data = {"source": ["a b", "c"], "target": ["d", "e f"], "alignments": ["", ""]}
    data[side][1] = " "
    with pytest.raises(DataError) as error:
        runner.predict(**data)
    assert str(error.value).startswith(f"{side}, segment 2: found an empty {side}")
    assert other not in str(error.value)


@pytest.mark.parametrize("character", ["\0", "\ud800"])
def test_strings_that_are_no_text_are_bad_segments(runner: Runner, character: str) -> None:
    data = {"source": ["a b", "c"], "target": ["d", f"e{character} f"], "alignments": ["", ""]}
    with pytest.raises(DataError, match=r"target, segment 2: found .* at position 2; .* set on_bad to nan or skip"):
        runner.predict(**data)
    scores = runner.predict(**data, on_bad="nan").sentences_hter
    assert scores is not None
    assert [math.isnan(score) for score in scores] == [False, True]
    assert scores[0] == runner.predict(["a b"], ["d"], [""]).sentences_hter[0]


# What cannot be predicted.


@pytest.mark.parametrize(
    ("changes", "messages"),
    [
        ({"target": ["x y", "z"]}, ["source has 1", "target has 2", "alignments has 1"]),
        ({"alignments": ["5-0"]}, ["alignments, segment 1", "source index 5 in '5-0'", "less than 5"]),
        ({"alignments": ["0-9"]}, ["alignments, segment 1", "target index 9 in '0-9'", "less than 5"]),
        ({"alignments": ["0:1"]}, ["alignments, segment 1", "'0:1'", "pairs like 0-0"]),
        ({"source_pos": ["N"]}, ["source_pos, segment 1", "found 1 part-of-speech tags", "5"]),
        ({"target_pos": ["N N N N N N"]}, ["target_pos, segment 1", "found 6 part-of-speech tags", "5"]),
    ],
)
def test_data_errors(runner: Runner, changes: dict[str, list[str] | None], messages: list[str]) -> None:
    data: dict[str, Any] = {name: [text] for name, text in ROW.items()} | changes
    with pytest.raises(DataError) as error:
        runner.predict(**data)
    for message in messages:
        assert message in str(error.value)


def test_missing_part_of_speech_is_named(pos_system: QESystem) -> None:
    with pytest.raises(DataError) as error:
        runner_of(pos_system).predict(**{name: [text] for name, text in ROW.items()}, source_pos=["A B C D E"])
    assert "target_pos" in str(error.value)
    assert "source_pos" not in str(error.value)


def test_words_are_what_spaces_separate(runner: Runner) -> None:
    found = runner.predict(["a  b\tc\u00a0d "], ["x\u2028y z"], ["2-1"])
    assert found.source_tags_labels is not None
    assert found.target_tags_labels is not None
    assert len(found.source_tags_labels[0]) == 3
    assert len(found.target_tags_labels[0]) == 2


# Files.


def some_predictions() -> Predictions:
    return Predictions(
        sentences_hter=[0.25, math.nan, 1 / 3],
        sentences_hter_deviation=[0.5, math.nan, 0.125],
        sentences_binary_BAD_probabilities=[0.75, math.nan, 0.5],
        sentences_binary_labels=["BAD", "OK", "OK"],
        target_tags_BAD_probabilities=[[0.1, 0.9], [], [0.5]],
        target_tags_labels=[["OK", "BAD"], [], ["OK"]],
        gap_tags_BAD_probabilities=[[0.6, 0.2, 0.3], [], [0.7, 0.4]],
        gap_tags_labels=[["BAD", "OK", "OK"], [], ["BAD", "OK"]],
        source_tags_BAD_probabilities=[[1.0], [], [0.0]],
        source_tags_labels=[["BAD"], [], ["OK"]],
    )


CONTENT = {
    "sentence_scores": "0.250000\nnan\n0.333333\n",
    "sentence_scores_extras": "0.250000\t0.500000\nnan\tnan\n0.333333\t0.125000\n",
    "binary": "0.750000\nnan\n0.500000\n",
    "binary_labels": "BAD\n\nOK\n",
    "target_tags": "0.100000 0.900000\n\n0.500000\n",
    "target_tags_labels": "OK BAD\n\nOK\n",
    "gap_tags": "0.600000 0.200000 0.300000\n\n0.700000 0.400000\n",
    "gap_tags_labels": "BAD OK OK\n\nBAD OK\n",
    "source_tags": "1.000000\n\n0.000000\n",
    "source_tags_labels": "BAD\n\nOK\n",
    "targetgaps_tags": "0.600000 0.100000 0.200000 0.900000 0.300000\n\n0.700000 0.500000 0.400000\n",
    "targetgaps_tags_labels": "BAD OK OK BAD OK\n\nBAD OK OK\n",
}


def test_files_and_their_content(tmp_path: Path) -> None:
    files = some_predictions().save(tmp_path / "new" / "directory")
    assert {file.name: file.read_text(encoding="utf-8") for file in files} == CONTENT
    # The record of what kiwi has written lets it write over these files later.
    assert {file.name for file in (tmp_path / "new" / "directory").iterdir()} == {*CONTENT, RECORD_FILE}


@pytest.mark.parametrize(
    ("predictions", "names"),
    [
        (Predictions(sentences_hter=[0.5]), {"sentence_scores"}),
        (
            Predictions(target_tags_BAD_probabilities=[[0.5]], target_tags_labels=[["OK"]]),
            {"target_tags", "target_tags_labels"},
        ),
        (
            Predictions(gap_tags_BAD_probabilities=[[0.5, 0.5]], gap_tags_labels=[["OK", "OK"]]),
            {"gap_tags", "gap_tags_labels"},
        ),
        (Predictions(), set()),
    ],
)
def test_only_files_of_outputs_that_are_there(predictions: Predictions, names: set[str], tmp_path: Path) -> None:
    assert {file.name for file in predictions.save(tmp_path)} == names


def test_paths_may_be_strings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    some_predictions().save("~/out")
    assert Predictions.read(str(tmp_path / "out")).target_tags_labels == some_predictions().target_tags_labels


@pytest.mark.parametrize(
    ("name", "found"), [("missing", "no directory"), ("file", "a file"), (".", "no file of predictions")]
)
def test_no_predictions_to_read(tmp_path: Path, name: str, found: str) -> None:
    (tmp_path / "file").write_text("0.5\n")
    with pytest.raises(DataError) as error:
        Predictions.read(tmp_path / name)
    assert str(error.value) == (
        f"{tmp_path / name}: found {found}; expected a directory with the files that kiwi predict and Predictions.save "
        "write. Give that directory."
    )


def test_target_and_gaps_are_interleaved() -> None:
    assert some_predictions().targetgaps_tags_BAD_probabilities == [[0.6, 0.1, 0.2, 0.9, 0.3], [], [0.7, 0.5, 0.4]]


def test_labels_agree_between_attributes_and_files(runner: Runner, corpus: Any, tmp_path: Path) -> None:
    found = runner.predict(**held_out(corpus), batch_size=4)
    found.save(tmp_path)
    assert found.target_tags_labels is not None
    assert found.sentences_binary_labels is not None
    assert (tmp_path / "target_tags_labels").read_text().splitlines() == [" ".join(r) for r in found.target_tags_labels]
    assert (tmp_path / "binary_labels").read_text().splitlines() == found.sentences_binary_labels


# Loading.


@pytest.mark.parametrize("load", [load_system, kiwi.load_system])
@pytest.mark.parametrize("kind", [str, Path])
def test_a_trained_system_is_loaded(load: Any, kind: Any, trained: Any, corpus: Any) -> None:
    for path in (trained.path, trained.output_dir / "best_model"):
        runner = load(kind(path))
        assert isinstance(runner, Runner)
        assert len(runner.predict(**held_out(corpus), batch_size=10)) == 10


def test_from_kiwi_lib_too() -> None:
    from kiwi.lib import predict

    assert predict.load_system is load_system


@pytest.mark.parametrize("gpu_id", [0, 7, -1])
def test_a_gpu_that_is_not_there(trained: Any, gpu_id: int) -> None:
    with pytest.raises(ConfigError) as error:
        load_system(trained.path, gpu_id=gpu_id)
    assert f"gpu_id: found {gpu_id}" in str(error.value)


def test_a_loaded_system_says_the_same_as_the_trained_one(trained: Any, corpus: Any) -> None:
    best = load_system(trained.path).predict(**held_out(corpus), batch_size=3)
    again = load_system(trained.path).predict(**held_out(corpus), batch_size=3)
    assert asdict(best) == asdict(again)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"source": "a b", "target": ["c"]}, "source: found one string"),
        ({"source": None, "target": ["c"]}, "source: found None; expected a list with one string per segment"),
        ({"source": ["a"], "target": None}, "target: found None; expected a list with one string per segment"),
        ({"source": ["a"], "target": ["c"], "language_pairs": "en-de"}, "language_pairs: found one string"),
        ({"source": ["a"], "target": ["c"], "language_pairs": []}, "target has 1, language_pairs has 0 segments"),
    ],
)
def test_impossible_arguments(runner: Any, arguments: dict[str, Any], message: str) -> None:
    with pytest.raises(KiwiError, match=message):
        runner.predict(**arguments)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"batch_size": 2.5}, "batch_size: found 2.5; expected a valid integer."),
        ({"batch_size": "2"}, "batch_size: found '2'; expected a valid integer."),
        ({"batch_size": 0}, "batch_size: found 0; expected at least 1."),
        ({"batch_tokens": True}, "batch_tokens: found True; expected a valid integer."),
        ({"num_data_workers": -1}, "num_data_workers: found -1; expected at least 0."),
        ({"deduplicate": "no"}, "deduplicate: found 'no'; expected a valid boolean."),
        ({"on_bad": "drop"}, "on_bad: found 'drop'; expected 'nan', 'stop' or 'skip'."),
    ],
)
def test_options_that_are_not_valid(runner: Runner, options: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError) as error:
        runner.predict(["a"], ["c"], ["0-0"], **options)
    assert str(error.value) == message
    with pytest.raises(ConfigError) as error:
        PredictOptions(**options)
    assert str(error.value) == message


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"threads": "2"}, "threads: found '2'; expected a valid integer."),
        ({"gpu_id": "0", "align": 0}, "gpu_id: found '0'; expected a valid integer. align: found 0; expected a valid "),
        ({"threads": 0}, "threads: found 0; expected at least 1."),
        ({"threads": -1}, "threads: found -1; expected at least 1."),
        ({"threads": 1025}, "threads: found 1025; expected at most 1024."),
        ({"precision": np.array([1, 2])}, "precision: found array([1, 2]); expected '32', 'bf16', '16' or 'auto'."),
        ({"precision": 8}, "precision: found 8; expected '32', 'bf16', '16' or 'auto'."),
        ({"aligner": 1}, "aligner: found 1; expected a valid string or a path."),
        ({"model": "outputs"}, "model: found 'outputs'; expected a dictionary."),
    ],
)
def test_loading_with_options_that_are_not_valid(trained: Any, options: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError) as error:
        load_system(trained.path, **options)
    assert str(error.value).startswith(message)


def test_an_option_that_is_not_known() -> None:
    with pytest.raises(ConfigError) as error:
        PredictOptions(bacth_size=1, threads=0)  # type: ignore[call-arg]
    message = "There is no option 'bacth_size'; did you mean 'batch_size'? threads: found 0; expected at least 1."
    assert str(error.value) == message
    with pytest.raises(ConfigError, match=r"^There is no option 'xyz'; known: align, .*, threads\.$"):
        PredictOptions(xyz=1)  # type: ignore[call-arg]


def test_numbers_that_options_take() -> None:
    options = PredictOptions(precision=32, batch_size=np.int64(3))  # type: ignore[arg-type]
    assert options == PredictOptions(precision="32", batch_size=3)
    assert type(options.batch_size) is int
    for number in (16, np.int64(16)):
        assert PredictOptions(precision=number) == PredictOptions(precision="16")  # type: ignore[arg-type]
    options = PredictOptions(deduplicate=np.False_, align=np.True_)  # type: ignore[arg-type]
    assert (options.deduplicate, options.align) == (False, True)


def test_line_ends_are_no_part_of_a_word(runner: Any) -> None:
    plain = runner.predict(["The table ."], ["Der Tisch ."], ["0-0 1-1"])
    assert runner.predict(["The table .\r\n"], ["Der Tisch .\n"], ["0-0 1-1\n"]) == plain


@pytest.mark.parametrize(
    ("field", "value", "found"),
    [
        ("source", 1, "1"),
        ("target", None, "None"),
        ("target", math.nan, "nan"),
        ("target", ["a", "b"], "['a', 'b']"),
        ("language_pairs", ("en", "de"), "('en', 'de')"),
    ],
)
def test_what_is_no_text_is_a_bad_segment(runner: Runner, corpus: Any, field: str, value: Any, found: str) -> None:
    data: dict[str, Any] = {**held_out(corpus), "language_pairs": ["en-de"] * 10}
    expected = runner.predict(**data).sentences_hter
    data[field] = [data[field][0], value, *data[field][2:]]
    with pytest.raises(DataError) as error:
        runner.predict(**data)
    reason = f"{field}, segment 2: found {found}; expected a string."
    assert str(error.value) == f"{reason} To go on without such segments, set on_bad to nan or skip."
    scores = runner.predict(**data, on_bad="nan").sentences_hter
    assert expected is not None
    assert scores is not None
    assert math.isnan(scores[1])
    left = [expected[0], *expected[2:]]
    assert [scores[0], *scores[2:]] == pytest.approx(left, abs=1e-6)
    assert runner.predict(**data, on_bad="skip").sentences_hter == pytest.approx(left, abs=1e-6)


@pytest.mark.parametrize(("on_bad", "n_scores"), [("nan", 3), ("skip", 2)])
def test_any_iterable_is_taken(runner: Runner, caplog: Any, on_bad: Any, n_scores: int) -> None:
    data = {"source": ["a", "", "b"], "target": ["c", "d", "e"], "alignments": [""] * 3}
    found = runner.predict(**{name: iter(values) for name, values in data.items()}, on_bad=on_bad)
    assert len(found) == n_scores
    assert caplog.messages[-1].startswith("1 of 3 segments are bad")


def test_a_language_pair_that_is_not_known(runner: Runner, corpus: Any) -> None:
    found = runner.predict(**held_out(corpus), language_pairs=["", "en-de", *[""] * 8])
    assert_same(found, runner.predict(**held_out(corpus)))
