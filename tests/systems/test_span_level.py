"""Error spans of systems with a pretrained encoder, from text to spans."""

from __future__ import annotations

import itertools
import math
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from kiwi.data.batch import NumpyBatch
from kiwi.data.datasets.parts import TrainingConfig
from kiwi.data.labels.score_meaning import ScoreMeaning
from kiwi.data.labels.spans.decoding import expected_penalties
from kiwi.exceptions import ConfigError
from kiwi.lib.export import export
from kiwi.lib.score.calibration.spans import cool_spans
from kiwi.lib.thresholds import choose_thresholds
from kiwi.lib.thresholds.spans import MIN_OMISSIONS, choose_span_thresholds
from kiwi.metrics.conformal import at_temperature
from kiwi.runner import Predictions, load_system
from kiwi.runner.engine import Engine
from kiwi.runner.torch_engine import runner_of
from kiwi.systems.batching import as_tensors
from kiwi.systems.manifest.thresholds import PairThresholds
from kiwi.systems.qe_system import QESystem
from tests.pretrained import write_model

SOURCE = ["Close the bank .", "The house is small and old .", "Open 12 windows , please !", "Close it"]
TARGET = ["Schließen  Sie die Bank .", " Das Haus\tist 😀 klein .", "Bitte", "中文字 !"]
SPANS = ["0:9:major 24:24:minor", "5:9:minor|-", "-", "0:3:major"]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_model("xlm-roberta", tmp_path_factory.mktemp("models") / "tiny")


def rows(*fields: str) -> list[dict[str, str]]:
    columns = {"source": SOURCE, "target": TARGET, "error_spans": SPANS, "sentence_scores": ["6", "0.5", "0", "5"]}
    return [{field: columns[field][i] for field in fields} for i in range(len(SOURCE))]


def build(folder: Path, spans: Any = True, **outputs: Any) -> QESystem:
    torch.manual_seed(3)
    model = {
        "encoder": {"model_name": str(folder), "hidden_size": 12},
        "decoder": {"hidden_size": 24, "bottleneck_size": 24},
        "outputs": {"span_level": spans, "sentence_level": {"hter": True}, **outputs},
    }
    config = QESystem.Config.from_dict({"class_name": "Transformer", "model": model})
    return QESystem.build(config, {"sentence_scores": ["0", "6"], "error_spans": SPANS})


def trained(folder: Path, steps: int = 80, spans: Any = True) -> QESystem:
    """A system that finds the spans of its training data."""
    system = build(folder, spans).eval()  # without dropout
    batch = as_tensors(system.collate(rows("source", "target", "error_spans", "sentence_scores")))
    optimizer = torch.optim.Adam(system.parameters(), 0.02)
    for _ in range(steps):
        optimizer.zero_grad()
        system.losses(batch)["loss"].backward()
        optimizer.step()
    return system


def positions(predictions: Predictions) -> list[list[tuple[int, int, str]]]:
    assert predictions.error_spans is not None
    return [[span[:3] for span in spans] for spans in predictions.error_spans]


@pytest.fixture(scope="module")
def system(folder: Path) -> QESystem:
    """Not to be changed."""
    return trained(folder)


def test_spans_are_learned(system: QESystem) -> None:
    found = runner_of(system).predict(SOURCE, TARGET)
    expected = [[(0, 9, "major"), (24, 24, "minor")], [(5, 9, "minor")], [], [(0, 3, "major")]]
    assert [spans for i, spans in enumerate(positions(found)) if i != 1] == [
        s for i, s in enumerate(expected) if i != 1
    ]
    assert found.mqm_score is not None
    assert [found.mqm_score[i] for i in (0, 2, 3)] == [6.0, 0.0, 5.0]
    assert found.combined_score is None  # what the scores mean is not known
    assert all(0.5 < span.confidence <= 1.0 for spans in found.error_spans or [] for span in spans)


def test_a_segment_does_not_depend_on_its_batch(system: QESystem) -> None:
    long = [" ".join(SOURCE * 9), " ".join(TARGET * 9)]
    source, target = [*SOURCE, long[0], ""], [*TARGET, long[1], ""]
    runner = runner_of(system)
    together = runner.predict(source, target)
    assert together.error_spans is not None
    assert len(together.error_spans[4]) > 5
    for index in range(5):
        alone = runner.predict([source[index]], [target[index]], batch_size=1).error_spans
        assert alone is not None
        assert [span[:3] for span in alone[0]] == positions(together)[index]
        assert [s.confidence for s in alone[0]] == pytest.approx([s.confidence for s in together.error_spans[index]])
    assert together.error_spans[5] == []
    assert together.mqm_score is not None
    assert math.isnan(together.mqm_score[5])


def test_texts_as_given(system: QESystem) -> None:
    runner = runner_of(system)
    spaced = "\t ".join(["", *TARGET[0].split(), ""])
    (first,), (second,) = (runner.predict(SOURCE[:1], [text]).error_spans or [] for text in (TARGET[0], spaced))
    assert [TARGET[0][s.start : s.end].split() for s in first] == [spaced[s.start : s.end].split() for s in second]
    assert spaced[second[0].start : second[0].end] == "Schließen"


def test_checkpoints_files_and_tables(system: QESystem, tmp_path: Path) -> None:
    system.save_pretrained(tmp_path / "saved")
    found = runner_of(QESystem.load(tmp_path / "saved")).predict(SOURCE, TARGET)
    assert found == runner_of(system).predict(SOURCE, TARGET)
    found.save(tmp_path / "out")
    again = Predictions.read(tmp_path / "out")
    assert positions(again) == positions(found)
    assert again.mqm_score == found.mqm_score
    assert list(found.columns()) == ["sentence_scores", "error_spans", "mqm_score"]
    assert found.select([3, 0]).error_spans == [(found.error_spans or [])[3], (found.error_spans or [])[0]]
    # The output can be switched off, and the system can be trained further without it.
    without = load_system(tmp_path / "saved", model={"outputs": {"span_level": False}})
    assert without.predict(SOURCE, TARGET).error_spans is None
    as_trained = load_system(tmp_path / "saved", model={"outputs": {"span_level": True}})
    assert as_trained.predict(SOURCE, TARGET) == found
    assert without.predict(SOURCE, TARGET).sentences_hter == pytest.approx(found.sentences_hter)


def test_exports(system: QESystem, tmp_path: Path) -> None:
    system.save_pretrained(tmp_path / "saved")
    exported = load_system(export(tmp_path / "saved", tmp_path / "exported").path)
    source, target = [*SOURCE, " ".join(SOURCE * 9), SOURCE[0]], [*TARGET, " ".join(TARGET * 9), "\u00a0"]
    found, expected = exported.predict(source, target), runner_of(system).predict(source, target)
    assert positions(found) == positions(expected)
    assert found.mqm_score == expected.mqm_score
    path = tmp_path / "exported"
    assert load_system(path, model={"outputs": {"span_level": True}}).predict(source, target) == found
    assert load_system(path, model={"outputs": {"span_level": False}}).predict(source, target).error_spans is None


def test_metrics(system: QESystem) -> None:
    assert system.outputs.config.metric_names[-2:] == ["error_spans_F1", "error_spans_MCC"]
    accumulators = system.accumulators()
    batch = as_tensors(system.collate(rows("source", "target", "error_spans", "sentence_scores")))
    with torch.no_grad():
        losses = system.validate(accumulators, batch)
    assert losses["error_spans_loss"].item() > 0
    metrics = accumulators["error_spans"].compute()
    # Of 1 + 9 + 3 marked characters, with or without the disputed four of the second segment, which has two raters.
    assert metrics["error_spans_F1"] in (pytest.approx(2 * 13 / (13 + 17)), pytest.approx(2 * 17 / (21 + 17)))
    assert metrics["error_spans_MCC"] > 0.8


def test_labels_that_the_data_lacks_are_not_trained(folder: Path) -> None:
    system = build(folder)
    output = system.outputs.by_name["error_spans"]
    batch = as_tensors(system.collate(rows("source", "target", "error_spans", "sentence_scores")))
    before = {name: weight.clone() for name, weight in output.named_parameters()}
    optimizer = torch.optim.SGD(output.parameters(), 1.0)
    system.losses(batch)["error_spans_loss"].backward()
    optimizer.step()
    for layer, absent in (("units", [3]), ("gaps", [2, 3])):
        for part in ("weight", "bias"):
            weight, old = output.get_parameter(f"{layer}.{part}"), before[f"{layer}.{part}"]
            assert [i for i in range(4) if torch.equal(weight[i], old[i])] == absent
    values = system.values(batch)["error_spans"]
    assert (values[:, 1::2, 3] == 0).all()
    assert (values[:, 0::2, 2:] == 0).all()
    # Labels of the validation data that are not trained leave the loss finite.
    other = system.collate([row | {"error_spans": "0:1:critical 2:2:major"} for row in rows("source", "target")])
    logits = output(system.decoder(system.encoder(as_tensors(other)), as_tensors(other)))
    assert torch.isfinite(output.loss(logits, as_tensors(other)))
    # What an earlier training has trained stays predicted, and is trained again where the data has it.
    output.fit(["0:1:critical"])
    assert output.trained.tolist() == [[True, True, False, False], [True, True, True, True]]


def test_the_loss_is_a_cross_entropy_with_shares(folder: Path) -> None:
    system = build(folder, {"class_weights": {"spans": {"minor": 2.0}, "omissions": {"OK": 0.5}}})
    output = system.outputs.by_name["error_spans"]
    batch = as_tensors(system.collate(rows("source", "target", "error_spans")))
    logits = output(system.decoder(system.encoder(batch), batch))
    probabilities = output.probabilities(logits).detach().numpy()
    expected = 0.0
    for segment, labels in enumerate(batch.span_labels.numpy()):
        for place, shares in enumerate(labels):
            weights = [1.0, 2.0, 1.0, 1.0] if place % 2 else [0.5, 1.0, 1.0, 1.0]
            for share, weight, probability in zip(shares, weights, probabilities[segment, place], strict=True):
                expected -= share * weight * np.log(probability) if share else 0.0
    assert output.loss(logits, batch).item() == pytest.approx(expected / len(batch), rel=1e-4)


def test_thresholds_move_to_one_half(folder: Path) -> None:
    system = trained(folder, 20)
    output = system.outputs.by_name["error_spans"]
    with torch.no_grad():
        output.get_parameter("units.bias")[0] += 5.0  # hardly any piece is an error with a threshold of 0.5
    columns = {"source": SOURCE, "target": TARGET, "error_spans": SPANS}
    engine = runner_of(system).engine
    chosen = choose_span_thresholds(engine, output, columns)
    assert chosen.after["error_spans_F1"] > chosen.before["error_spans_F1"]
    values = system.values(as_tensors(system.collate(rows("source", "target"))))
    before, scores = values["error_spans"].detach(), values["sentence_scores"].detach()
    assert chosen.severity is not None
    output.move_thresholds(chosen.gaps, chosen.units, chosen.severity)
    system.weigh_scores(chosen.score_weight)
    after = system.values(as_tensors(system.collate(rows("source", "target"))))["error_spans"].detach()
    expected = before.clone()
    expected[:, 0::2, 0] *= chosen.gaps / (1 - chosen.gaps)
    expected[:, 1::2, 0] *= chosen.units / (1 - chosen.units) * torch.exp(chosen.score_weight * scores)[:, None]
    expected[:, 1::2, 2:] *= (1 - chosen.severity) / chosen.severity
    torch.testing.assert_close(after, expected / expected.sum(dim=-1, keepdim=True), rtol=1e-3, atol=1e-4)
    accumulators = system.accumulators()
    with torch.no_grad():
        system.validate(
            accumulators, as_tensors(system.collate(rows("source", "target", "error_spans", "sentence_scores")))
        )
    assert accumulators["error_spans"].compute() == pytest.approx(chosen.after)


def whole_text(text: str, severity: str) -> str:
    """Return a span of all of a text but the white space around it."""
    return f"{len(text) - len(text.lstrip())}:{len(text.rstrip())}:{severity}"


class Scripted(Engine):
    """Marks all pieces of all translations alike, and scores those with a major error worse."""

    def __init__(self, system: QESystem) -> None:
        self.collate, self.batch_tokens = system.collate, 1000

    def __call__(self, batch: NumpyBatch) -> dict[str, np.ndarray]:
        assert batch.span_labels is not None
        values = np.full(batch.span_labels.shape, 0.05, dtype=np.float32)
        values[..., 0], values[..., 2] = 0.7, 0.2
        is_bad = batch.span_labels[:, 1::2, 2].any(axis=1)
        return {"error_spans": values, "sentence_scores": np.where(is_bad, 6.0, 1.0).astype(np.float32)}


class Undecided(Scripted):
    """Finds an error at each piece, rather minor than major."""

    def __call__(self, batch: NumpyBatch) -> dict[str, np.ndarray]:
        assert batch.span_labels is not None
        values = np.zeros(batch.span_labels.shape, dtype=np.float32)
        values[:, 0::2, 0] = 1.0
        values[:, 1::2, :3] = [0.1, 0.55, 0.35]
        return {"error_spans": values}


@pytest.mark.parametrize(("severity", "expected"), [("minor", 0.5), ("major", 0.35)])
def test_the_threshold_of_severities(folder: Path, severity: str, expected: float) -> None:
    system = build(folder, sentence_level={"hter": False})
    columns = {"source": SOURCE, "target": TARGET, "error_spans": [whole_text(text, severity) for text in TARGET]}
    output = system.outputs.by_name["error_spans"]
    chosen = choose_span_thresholds(Undecided(system), output, columns)
    assert chosen.severity == expected
    assert chosen.before["error_spans_F1"] == (1.0 if severity == "minor" else 0.5)
    assert chosen.after["error_spans_F1"] == 1.0
    # A system that knows a single severity has no such threshold.
    output.get_buffer("trained")[1, 2:] = False
    assert choose_span_thresholds(Undecided(system), output, columns).severity is None


def test_a_checkpoint_with_the_threshold_of_severities(folder: Path, tmp_path: Path) -> None:
    system = build(folder).eval()
    units = system.outputs.by_name["error_spans"].get_submodule("units")
    with torch.no_grad():
        units.get_parameter("weight").zero_()  # an error at each piece, rather minor than major
        units.get_parameter("bias").copy_(torch.tensor([0.0, 3.0, 2.6, -9.0]))
    system.save_pretrained(tmp_path / "system")
    for name, lines in (("source", SOURCE), ("target", TARGET)):
        (tmp_path / name).write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
    rows = ["seg\trater\tstarts\tends\tseverities"]
    rows += ["\t".join((str(number), "0", *whole_text(text, "major").split(":"))) for number, text in enumerate(TARGET)]
    (tmp_path / "spans.tsv").write_text("".join(f"{row}\n" for row in rows))
    data = TrainingConfig.from_dict(
        {
            "input": {"source": str(tmp_path / "source"), "target": str(tmp_path / "target")},
            "output": {"error_spans": str(tmp_path / "spans.tsv")},
        }
    )
    chosen = choose_thresholds(tmp_path / "system", tmp_path / "chosen", data)
    assert [each.threshold for each in chosen if each.output == "error_spans (severities)"] == [0.4]
    beyond = (tmp_path / "spans.tsv").read_text().replace(str(len(TARGET[0])), "99")
    (tmp_path / "spans.tsv").write_text(beyond)
    command = ["thresholds", str(tmp_path / "system"), str(tmp_path / "cut"), "-s", str(tmp_path / "source")]
    command += ["-t", str(tmp_path / "target"), "--error-spans", str(tmp_path / "spans.tsv")]
    for options, code in ([], 3), (["--on-bad-span", "clip"], 0), (["--on-bad-span", "cut"], 2):
        run = [sys.executable, "-m", "kiwi", *command, *options]
        assert subprocess.run(run, capture_output=True, check=False).returncode == code
    assert QESystem.load(tmp_path / "cut").state_dict().keys() == system.state_dict().keys()
    for name, severity in (("system", "minor"), ("chosen", "major")):
        found = load_system(tmp_path / name).predict(SOURCE, TARGET).error_spans
        assert found is not None
        assert {span.severity for spans in found for span in spans if span.end > span.start} == {severity}


def test_scores_tell_where_errors_are(folder: Path) -> None:
    system = build(folder)
    marked = [whole_text(text, "major") for text in TARGET]
    columns = {"source": SOURCE * 2, "target": TARGET * 2, "error_spans": ["-"] * 4 + marked}
    output = system.outputs.by_name["error_spans"]
    chosen = choose_span_thresholds(Scripted(system), output, columns)
    assert chosen.score_weight < 0  # of penalties, the higher ones are worse
    assert chosen.after["error_spans_F1"] == 1.0
    # The same scores for all tell nothing.
    same = choose_span_thresholds(Scripted(system), output, {**columns, "error_spans": marked * 2})
    assert (same.score_weight, same.after["error_spans_F1"]) == (0.0, 1.0)


def test_a_pair_has_a_threshold_of_pieces_of_its_own(folder: Path, caplog: pytest.LogCaptureFixture) -> None:
    system = build(folder)
    marked = [whole_text(text, "critical") for text in TARGET]
    columns = {"source": SOURCE * 2, "target": TARGET * 2, "error_spans": ["-"] * 2 + marked[2:] + marked}
    pairs = {"en-de": [0, 1, 2, 3], "si-en": [4, 5, 6, 7]}
    chosen = choose_span_thresholds(Scripted(system), system.outputs.by_name["error_spans"], columns, pairs)
    assert sorted(chosen.of_pairs) == ["en-de", "si-en"]
    assert chosen.of_pairs["si-en"].after["error_spans_F1"] == 1.0
    assert chosen.of_pairs["si-en"].units < 0.3  # the probability of all errors
    nothing = {**columns, "error_spans": ["-"] * 4 + marked}
    chosen = choose_span_thresholds(Scripted(system), system.outputs.by_name["error_spans"], nothing, pairs)
    assert sorted(chosen.of_pairs) == ["si-en"]  # nothing tells the threshold of the other
    nothing = {**columns, "error_spans": ["-"] * 8}
    chosen = choose_span_thresholds(Scripted(system), system.outputs.by_name["error_spans"], nothing, pairs)
    assert (chosen.units, chosen.score_weight, chosen.severity, chosen.of_pairs) == (0.5, 0.0, 0.5, {})
    assert "error_spans: no threshold on this data has F1 above 0, so that it stays at 0.5" in caplog.text


def test_the_weight_of_scores(folder: Path, tmp_path: Path) -> None:
    system = build(folder).eval()
    given = as_tensors(system.collate(rows("source", "target")))
    with torch.no_grad():
        before = system.values(given)
        system.weigh_scores(0.3)
        after = system.values(given)
    torch.testing.assert_close(after["sentence_scores"], before["sentence_scores"])
    torch.testing.assert_close(after["error_spans"][:, 0::2], before["error_spans"][:, 0::2])  # gaps
    one, two = (values["error_spans"][:, 1::2, 0] for values in (before, after))
    expected = one / (1 - one) * torch.exp(0.3 * before["sentence_scores"])[:, None]
    torch.testing.assert_close(two / (1 - two), expected, rtol=1e-3, atol=1e-4)
    system.save_pretrained(tmp_path / "weighed")
    # Spans without scores depend on them all the same, in the system and in its export.
    outputs = {"outputs": {"sentence_level": {"hter": False}}}
    whole = load_system(tmp_path / "weighed").predict(SOURCE, TARGET)
    spans = load_system(tmp_path / "weighed", model=outputs).predict(SOURCE, TARGET)
    assert spans.sentence_scores is None
    assert spans.error_spans == whole.error_spans
    export(tmp_path / "weighed", tmp_path / "exported")
    assert positions(load_system(tmp_path / "exported").predict(SOURCE, TARGET)) == positions(whole)
    with pytest.raises(ConfigError, match=r"found score_weight: 0.3, but sentence_level.hter is off"):
        build(folder, {"score_weight": 0.3}, sentence_level={"hter": False})


def test_data_without_omissions_do_not_move_their_threshold(folder: Path) -> None:
    system = trained(folder, 8)
    without = [" ".join(own for own in line.split() if own == "-" or len({*own.split(":")[:2]}) > 1) for line in SPANS]
    assert without != SPANS
    columns = {"source": SOURCE, "target": TARGET, "error_spans": without}
    chosen = choose_span_thresholds(runner_of(system).engine, system.outputs.by_name["error_spans"], columns)
    assert chosen.gaps == 0.5


class Suspicious(Scripted):
    """Suspects an omission at the start of each translation, and is sure of those that are critical."""

    def __call__(self, batch: NumpyBatch) -> dict[str, np.ndarray]:
        values = super().__call__(batch)
        values["error_spans"][:, 0::2] = [0.96, 0.01, 0.02, 0.01]
        values["error_spans"][:, 0] = [0.85, 0.05, 0.05, 0.05]
        assert batch.span_labels is not None
        values["error_spans"][batch.span_labels[:, 0, 3] > 0, 0] = [0.4, 0.2, 0.2, 0.2]
        return values


@pytest.mark.parametrize(("n_omissions", "expected"), [(MIN_OMISSIONS - 1, 0.5), (MIN_OMISSIONS, 0.15)])
def test_the_threshold_of_gaps_is_that_of_omissions(folder: Path, n_omissions: int, expected: float) -> None:
    # No span is right, so that their F1, which counts characters, tells nothing of where omissions are.
    # Segments that nobody annotated say nothing either.
    system, n_rated, n_others = build(folder), 2 * MIN_OMISSIONS, 10 * MIN_OMISSIONS
    columns = {
        "source": [SOURCE[0]] * (n_rated + n_others),
        "target": [TARGET[0]] * (n_rated + n_others),
        "error_spans": ["0:0:critical"] * 8
        + ["0:0:major"] * (n_omissions - 8)
        + ["-"] * (n_rated - n_omissions)
        + [""] * n_others,
    }
    chosen = choose_span_thresholds(Suspicious(system), system.outputs.by_name["error_spans"], columns)
    assert 0.04 < chosen.gaps <= expected + 1e-6
    assert (chosen.gaps == 0.5) is (expected == 0.5)


def test_temperatures_divide_the_logits_of_gaps_and_units(folder: Path) -> None:
    system = trained(folder, 8)
    output = system.outputs.by_name["error_spans"]
    columns = {"source": [*SOURCE, ""], "target": [*TARGET, ""], "error_spans": [*SPANS, "-"]}
    batch = as_tensors(system.collate(rows("source", "target", "error_spans", "sentence_scores")))
    before = system.values(batch)["error_spans"].detach().numpy()
    (units, gaps), metrics = cool_spans(output, runner_of(system).engine, columns)
    after = system.values(batch)["error_spans"].detach().numpy()
    assert (units.output, gaps.output) == ("error_spans", "error_spans (omissions)")
    for first, found in ((1, units), (0, gaps)):
        known = output.get_buffer("trained")[first].numpy()
        expected = at_temperature(before[:, first::2][..., known], found.temperature)
        np.testing.assert_allclose(after[:, first::2][..., known], expected, rtol=1e-3, atol=1e-5)
        assert (after[:, first::2][..., ~known] == 0).all()
        assert found.nll[1] <= found.nll[0]
    assert units.n == sum(int(mask.sum()) for mask in batch.unit_mask)
    accumulators = system.accumulators()
    with torch.no_grad():
        system.validate(accumulators, batch)
    assert accumulators["error_spans"].compute() == pytest.approx(metrics)


def test_the_temperature_of_units_is_that_of_the_probabilities_of_their_pairs(folder: Path) -> None:
    """Fitted to moved probabilities and then to those of thresholds at the same temperature, it is 1."""
    system = trained(folder, 8)
    output = system.outputs.by_name["error_spans"]
    given = rows("source", "target", "error_spans")
    columns = {name: [row[name] for row in given] for name in given[0]}
    columns["lp"] = ["en-de" if index % 2 else "en-fr" for index in range(len(given))]
    system.data_info = replace(system.data_info, thresholds=PairThresholds({"error_spans": {"en-de": 0.05}}))
    (units, *_), metrics = cool_spans(output, runner_of(system).engine, columns)
    assert units.nll[1] < units.nll[0]
    assert abs(units.temperature - 1) > 0.01
    assert system.data_info.thresholds is not None
    cooled = system.data_info.thresholds.cooled("error_spans", units.temperature)
    system.data_info = replace(system.data_info, thresholds=cooled)
    (again, *_), same = cool_spans(output, runner_of(system).engine, columns)
    assert again.temperature == pytest.approx(1, abs=1e-3)
    assert again.nll[0] == pytest.approx(units.nll[1], abs=1e-5)
    assert same["error_spans_F1"] == pytest.approx(metrics["error_spans_F1"])
    del columns["lp"]  # the probabilities of segments of unknown pairs are others
    (unknown, *_), _ = cool_spans(output, runner_of(system).engine, columns)
    assert unknown.nll[0] != pytest.approx(again.nll[1], abs=1e-3)


def test_data_without_omissions_leave_their_temperature(folder: Path) -> None:
    system = trained(folder, 8)
    output = system.outputs.by_name["error_spans"]
    columns = {"source": SOURCE, "target": TARGET, "error_spans": [line.replace(" 24:24:minor", "") for line in SPANS]}
    before = output.gaps.weight.clone()
    (found,), _ = cool_spans(output, runner_of(system).engine, columns)
    assert found.output == "error_spans"
    assert torch.equal(output.gaps.weight, before)


def test_spans_are_added_to_a_trained_system(folder: Path, tmp_path: Path) -> None:
    build(folder, False, word_level={"target": True}).save_pretrained(tmp_path / "scores")
    options = {"load": str(tmp_path / "scores"), "model": {"outputs": {"span_level": {"severities": ["major"]}}}}
    config = QESystem.resolve(QESystem.Config.from_dict(options))
    system = QESystem.build(config, {"sentence_scores": ["0", "6"], "error_spans": SPANS})
    assert system.new_weights == ("outputs.by_name.error_spans.",)
    # Errors that are less severe count as the least severe ones there are.
    assert system.outputs.by_name["error_spans"].trained.tolist() == [[True, True], [True, True]]
    found = runner_of(system.eval()).predict(SOURCE, TARGET)
    assert found.error_spans is not None
    assert found.target_tags_labels is not None


def test_words_have_no_spans(folder: Path) -> None:
    model = {"encoder": {"embeddings": {"source": {"dim": 4}, "target": {"dim": 4}}}, "outputs": {"span_level": {}}}
    with pytest.raises(ConfigError, match=r"outputs\.span_level.*needs a pretrained encoder"):
        QESystem.Config.from_dict({"class_name": "NuQE", "model": model})


def test_a_combined_score(system: QESystem) -> None:
    runner = runner_of(system)
    meaning = ScoreMeaning("mqm", higher_is_better=False, range=(0.0, 25.0))
    runner.engine.about = replace(runner.about, data=replace(runner.about.data, score=meaning))
    found = runner.predict(SOURCE, TARGET)
    assert found.combined_score is not None
    scores = zip(found.sentences_hter or [], found.mqm_score or [], strict=True)
    expected = [100 * (0.78 * (1 - min(max(score, 0), 25) / 25) + 0.22 * (1 - points / 25)) for score, points in scores]
    assert found.combined_score == pytest.approx(expected)


def test_a_combined_score_from_probabilities(folder: Path, tmp_path: Path) -> None:
    meaning = ScoreMeaning("da", higher_is_better=True, range=(0.0, 1.0))
    found = {}
    for source in ("spans", "probabilities"):
        system = trained(folder, 8, {"combined_from": source})
        system.data_info = replace(system.data_info, score=meaning)
        system.save_pretrained(tmp_path / source)
        found[source] = load_system(tmp_path / source).predict(SOURCE, TARGET)
    spans, probabilities = found["spans"], found["probabilities"]
    assert probabilities.mqm_score == spans.mqm_score
    runner = load_system(tmp_path / "probabilities")
    engine, level = runner.engine, runner.about.span_level
    assert level is not None
    expected = []
    for row, score in zip(rows("source", "target"), probabilities.sentence_scores or [], strict=True):
        batch = engine.collate([row])
        assert batch.unit_mask is not None
        values = engine(batch)["error_spans"]
        expected += level.combine(
            expected_penalties(values, batch.unit_mask, level.severities, level.points), [score], meaning
        )
    assert probabilities.combined_score == pytest.approx(expected, rel=1e-5)
    assert spans.combined_score != pytest.approx(expected, rel=1e-3)
    assert all(map(math.isnan, runner.predict([""], [""]).combined_score or []))
    # The export and single segments give the same, and without scores there is nothing to combine.
    export(tmp_path / "probabilities", tmp_path / "exported")
    exported = load_system(tmp_path / "exported")
    alone = [exported.predict([one], [other]).combined_score or [] for one, other in zip(SOURCE, TARGET, strict=True)]
    assert list(itertools.chain(*alone)) == pytest.approx(probabilities.combined_score, abs=1e-2)
    outputs = {"outputs": {"sentence_level": {"hter": False}}}
    assert load_system(tmp_path / "probabilities", model=outputs).predict(SOURCE, TARGET).combined_score is None
    options = {"combined_from": "probabilities", "score_weight": 0.3}
    with pytest.raises(ConfigError, match=r"or set score_weight: 0 and combined_from: spans\."):
        build(folder, options, sentence_level={"hter": False})
