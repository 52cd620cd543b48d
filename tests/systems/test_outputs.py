from __future__ import annotations

import math
import re
from typing import Any

import numpy as np
import pytest
import torch
from scipy.stats import norm, truncnorm
from torch import Tensor
from torch.distributions import Normal, kl_divergence

from kiwi.data.batch import QEBatch
from kiwi.data.labels.spans.checks import SpanDataConfig
from kiwi.exceptions import ConfigError, DataError
from kiwi.metrics.accumulators import TagMetrics
from kiwi.systems.encoders.transformer_config import LoraConfig
from kiwi.systems.features import Features, FeatureSizes
from kiwi.systems.outputs.binary import BinaryOutput
from kiwi.systems.outputs.options import SentenceLevelConfig
from kiwi.systems.outputs.quality_estimation import QEOutputs
from kiwi.systems.outputs.sentence_level import (
    MIN_DEVIATION,
    MIN_STANDARDIZED_DEVIATION,
    GaussianScoreOutput,
    ScoreDistributionOutput,
    ScoreOutput,
)
from kiwi.systems.outputs.word_level import GapOutput, WordLevelOutput
from kiwi.utils.io import BaseConfig

LOG = {2: math.log(2), 4: math.log(4)}


def batch(target: int | list[int] = 2, **labels: Any) -> QEBatch[Tensor]:
    """Segments with so many words on either side, the longest first."""
    counts = [target] if isinstance(target, int) else target
    mask = torch.arange(max(counts)) < torch.tensor(counts)[:, None]
    tensors = {name: torch.tensor(values) for name, values in labels.items()}
    return QEBatch(source=mask.long(), source_mask=mask, target=mask.long(), target_mask=mask, **tensors)


def of_odds(*odds: float) -> list[list[float]]:
    """Logits of words whose BAD is so many times as probable as OK."""
    return [[0.0, math.log(value)] for value in odds]


@pytest.mark.parametrize(
    ("weights", "odds", "tags", "expected"),
    [
        # One segment, two words at even odds.
        ({}, [[1, 1]], [[0, 1]], 2 * LOG[2]),
        ({"BAD": 3.0}, [[1, 1]], [[0, 1]], (1 + 3) * LOG[2]),
        ({"OK": 0.5, "BAD": 3.0}, [[1, 1]], [[0, 1]], (0.5 + 3) * LOG[2]),
        ({"OK": 0.0}, [[1, 1]], [[0, 0]], 0.0),
        # BAD three times as probable: 1/4 and 3/4.
        ({"BAD": 3.0}, [[3, 3]], [[0, 1]], LOG[4] + 3 * math.log(4 / 3)),
        # Summed over words, mean over segments.
        ({}, [[1, 1], [1, 1]], [[0, 1], [1, 1]], 4 * LOG[2] / 2),
        # Padding does not count, whatever its logits are.
        ({"BAD": 3.0}, [[1, 1], [1, 1e9]], [[0, 1], [1, -1]], (1 + 3 + 3) * LOG[2] / 2),
        ({"BAD": 3.0}, [[1, 1], [1, 1e-9]], [[0, 1], [1, -1]], (1 + 3 + 3) * LOG[2] / 2),
    ],
)
@pytest.mark.parametrize("field", ["target_tags", "source_tags"])
def test_loss_of_tags(
    field: str, weights: dict[Any, float], odds: list[list[float]], tags: list[list[int]], expected: float
) -> None:
    output = WordLevelOutput(field, 3, weights, 0.0)
    logits = torch.tensor([of_odds(*row) for row in odds])
    counts = [sum(tag >= 0 for tag in row) for row in tags]
    assert output.loss(logits, batch(counts, **{field: tags})).item() == pytest.approx(expected, abs=1e-5)


def test_each_side_reads_its_own_features() -> None:
    features = Features(target=torch.ones(1, 2, 3), source=torch.zeros(1, 4, 3))
    for field, count, value in (("target_tags", 2, 3.0), ("source_tags", 4, 0.0)):
        output = WordLevelOutput(field, 3, {}, 0.0)
        with torch.no_grad():
            output.linear.weight.fill_(1.0)
            output.linear.bias.zero_()
        assert output(features).tolist() == [[[value, value]] * count]


def test_gaps_see_the_words_on_both_sides() -> None:
    words = Features(target=torch.tensor([[[1.0, 2.0], [3.0, 4.0]]])).target
    output = GapOutput(2, {}, 0.0)
    assert output.words(Features(target=words)).tolist() == [[[0, 0, 1, 2], [1, 2, 3, 4], [3, 4, 0, 0]]]
    assert output(Features(target=words)).shape == (1, 3, 2)


def test_a_gap_with_a_layer_sees_both_sides_and_nothing_else() -> None:
    torch.manual_seed(0)
    output = GapOutput(2, {}, 0.0, hidden_size=3)
    target = torch.randn(1, 3, 2)
    before = output(Features(target=target))
    assert before.shape == (1, 4, 2)
    changed = target.clone()
    changed[0, 2] += 1
    moved = (output(Features(target=changed)) - before).abs().sum(dim=-1)[0] > 1e-6
    assert moved.tolist() == [False, False, True, True]
    left, right = target[0, 0], target[0, 1]
    assert output.hidden is not None
    sides = torch.cat([left, right, (left - right).abs(), left * right])
    expected = output.linear(output.hidden(sides))
    torch.testing.assert_close(before[0, 1], expected)


def test_loss_of_gaps_counts_one_more_than_words() -> None:
    output = GapOutput(2, {"BAD": 5.0}, 0.0)
    logits = torch.tensor([of_odds(1, 1, 1), of_odds(1, 1, 1e9)])
    gold = batch([2, 1], gap_tags=[[0, 1, 0], [0, 0, -1]])
    assert output.loss(logits, gold).item() == pytest.approx((1 + 5 + 1 + 1 + 1) * LOG[2] / 2, abs=1e-5)


@pytest.mark.parametrize(
    ("output", "counts"),
    [
        (WordLevelOutput("target_tags", 2, {}, 0.0), [3, 1]),
        (WordLevelOutput("source_tags", 2, {}, 0.0), [3, 1]),
        (GapOutput(2, {}, 0.0), [4, 2]),
    ],
)
def test_tags_are_probabilities_of_bad(output: WordLevelOutput, counts: list[int]) -> None:
    longest = max(counts)
    logits = torch.tensor([of_odds(*[3.0] * longest), of_odds(*[1 / 3] * longest)])
    values = output.values(logits)[output.label_field]
    np.testing.assert_allclose(values, [[0.75] * longest, [0.25] * longest], rtol=1e-6)


def test_tag_metrics_do_not_count_padding() -> None:
    output, accumulator = WordLevelOutput("target_tags", 2, {}, 0.0), TagMetrics("target_tags")
    logits = torch.tensor([of_odds(9, 1 / 9), of_odds(9, 9)])
    output.update(accumulator, logits, batch([2, 1], target_tags=[[1, 0], [0, -1]]))
    assert accumulator.counts.tolist() == [[1, 1], [0, 1]]


@pytest.mark.parametrize(
    ("last_activation", "logits", "gold", "expected"),
    [
        (False, [0.5, 0.0], [0.25, 0.5], (0.0625 + 0.25) / 2),
        (False, [3.0], [1.0], 4.0),
        (True, [0.0, 0.0], [0.5, 0.25], 0.0625 / 2),
        (True, [100.0], [1.0], 0.0),
    ],
)
def test_loss_of_a_regressed_score(
    last_activation: bool, logits: list[float], gold: list[float], expected: float
) -> None:
    output = ScoreOutput(4, 2, 0.0, last_activation)
    found = output.loss(torch.tensor(logits)[:, None], batch([2] * len(gold), sentence_scores=gold))
    assert found.item() == pytest.approx(expected, abs=1e-6)


@pytest.mark.parametrize(("last_activation", "score"), [(False, -0.5), (True, 1 / (1 + math.exp(0.5)))])
def test_a_regressed_score_is_decoded(last_activation: bool, score: float) -> None:
    values = ScoreOutput(4, 2, 0.0, last_activation).values(torch.tensor([[-0.5]]))
    assert values["sentence_scores"].tolist() == [pytest.approx(score)]


def distribution(mean: float, deviation: float) -> Any:
    return truncnorm(-mean / deviation, (1 - mean) / deviation, loc=mean, scale=deviation)


def sigmoid(value: float) -> float:
    return 1 / (1 + math.exp(-value))


@pytest.mark.parametrize(("first", "second", "gold"), [(0.0, 0.0, 0.5), (-3.0, -2.0, 0.0), (2.0, -4.0, 1.0)])
def test_a_score_as_a_distribution(first: float, second: float, gold: float) -> None:
    output, logits = ScoreDistributionOutput(4, 2, 0.0), torch.tensor([[first, second]])
    expected = distribution(sigmoid(first), MIN_DEVIATION + sigmoid(second))
    loss = output.loss(logits, batch(sentence_scores=[gold]))
    assert loss.item() == pytest.approx(-expected.logpdf(gold), rel=1e-4)
    values = output.values(logits)
    assert values["sentence_scores"].tolist() == [pytest.approx(expected.mean(), rel=1e-4)]
    assert values["sentence_scores_extras"].tolist() == [pytest.approx([expected.mean(), expected.std()], rel=1e-4)]


def test_extreme_logits_of_a_distribution_have_finite_loss_and_gradients() -> None:
    output = ScoreDistributionOutput(4, 2, 0.0)
    logits = torch.tensor([[a, b] for a in (-200.0, 0.0, 200.0) for b in (-200.0, 0.0, 200.0)], requires_grad=True)
    for gold in (0.0, 1.0):
        loss = output.loss(logits, batch([2] * 9, sentence_scores=[gold] * 9))
        (gradient,) = torch.autograd.grad(loss, logits)
        assert torch.isfinite(loss)
        assert torch.isfinite(gradient).all()


def gaussian(loss: Any = "nll", scores: tuple[float, ...] = (40.0, 60.0)) -> GaussianScoreOutput:
    """An output for scores whose mean is 50 and whose deviation is 10."""
    output = GaussianScoreOutput(4, 2, 0.0, loss)
    output.fit(scores)
    return output


def softplus(value: float) -> float:
    return math.log1p(math.exp(value))


@pytest.mark.parametrize(("mean", "spread", "gold"), [(0.0, 0.0, 50.0), (-1.5, 2.0, 71.0), (2.0, -9.0, 68.0)])
def test_a_score_of_any_scale_as_a_gaussian(mean: float, spread: float, gold: float) -> None:
    output, logits = gaussian(), torch.tensor([[mean, spread]])
    deviation = MIN_STANDARDIZED_DEVIATION + softplus(spread)
    # The likelihood of the standardized score, without its constant.
    expected = -norm(mean, deviation).logpdf((gold - 50) / 10) - math.log(2 * math.pi) / 2
    assert output.loss(logits, batch(sentence_scores=[gold])).item() == pytest.approx(expected, rel=1e-5)
    values = output.values(logits)
    assert values["sentence_scores"].tolist() == [pytest.approx(50 + 10 * mean)]
    extras = values["sentence_scores_extras"].tolist()
    assert extras == [pytest.approx([50 + 10 * mean, 10 * deviation], rel=1e-5)]


def test_the_gaussian_of_raters_is_learned_by_its_divergence() -> None:
    output, logits = gaussian("kl"), torch.tensor([[0.5, 0.0], [0.5, 0.0], [0.5, 0.0]])
    gold = batch([2, 2, 2], sentence_scores=[60.0, 45.0, 55.0], score_deviations=[20.0, 5.0, 0.0])
    # In units of the training data; raters who agree have the smallest deviation.
    raters = Normal(torch.tensor([1.0, -0.5, 0.5]), torch.tensor([2.0, 0.5, MIN_STANDARDIZED_DEVIATION]))
    predicted = Normal(0.5, MIN_STANDARDIZED_DEVIATION + softplus(0.0))
    expected = kl_divergence(raters, predicted).mean().item()
    assert output.loss(logits, gold).item() == pytest.approx(expected, rel=1e-5)
    # Worked out: the means and deviations of one segment agree, so that nothing is lost.
    spread = math.log(math.expm1(2.0 - MIN_STANDARDIZED_DEVIATION))
    exact = output.loss(torch.tensor([[1.0, spread]]), batch(sentence_scores=[60.0], score_deviations=[20.0]))
    assert exact.item() == pytest.approx(0.0, abs=1e-6)


def test_extreme_logits_of_a_gaussian_have_finite_loss_and_gradients() -> None:
    for loss in ("nll", "kl"):
        output = gaussian(loss)
        logits = torch.tensor([[a, b] for a in (-200.0, 0.0, 200.0) for b in (-200.0, 0.0, 200.0)], requires_grad=True)
        gold = batch([2] * 9, sentence_scores=[1e4] * 9, score_deviations=[0.0] * 9)
        (gradient,) = torch.autograd.grad(output.loss(logits, gold), logits)
        assert torch.isfinite(gradient).all()
        assert torch.isfinite(output.values(logits)["sentence_scores_extras"]).all()


def test_the_scale_of_a_gaussian_is_stored() -> None:
    weights = gaussian().state_dict()
    assert (weights["mean"].item(), weights["deviation"].item()) == (50.0, 10.0)
    assert gaussian(scores=(3.0, 3.0)).state_dict()["deviation"].item() == 1.0
    assert "mean" not in ScoreDistributionOutput(4, 2, 0.0).state_dict()  # as in systems of earlier versions


SCORES = {"0 to 1": ["0", "0.5", "1"], "any": ["-3", "0.5", "87"]}


@pytest.mark.parametrize(
    ("options", "kind", "scores", "has_raters", "expected"),
    [
        ({}, None, "0 to 1", False, ("truncated", "nll")),
        ({}, None, "any", False, ("gaussian", "nll")),
        ({}, None, "0 to 1", True, ("gaussian", "kl")),
        ({}, "hter", "0 to 1", False, ("truncated", "nll")),
        ({}, "hter", "any", False, ("truncated", "nll")),  # and then refused
        ({}, "da", "0 to 1", False, ("gaussian", "nll")),
        ({"distribution": "truncated"}, "da", "0 to 1", True, ("truncated", "nll")),
        ({"distribution": "gaussian"}, "hter", "0 to 1", False, ("gaussian", "nll")),
        ({"distribution_loss": "nll"}, "da", "any", True, ("gaussian", "nll")),
        ({"use_distribution": False}, "da", "any", True, (None, None)),
    ],
)
def test_the_training_data_decides_the_distribution(
    options: dict[str, Any], kind: Any, scores: str, has_raters: bool, expected: tuple[Any, Any]
) -> None:
    level = SentenceLevelConfig.from_dict({"hter": True, "use_distribution": True} | options)
    columns = {"sentence_scores": SCORES[scores]} | ({"score_deviations": ["0", "1", "2"]} if has_raters else {})
    found = level.resolve(columns, kind)
    assert (found.distribution, found.distribution_loss) == expected


def test_a_divergence_needs_raters_and_a_gaussian(caplog: pytest.LogCaptureFixture) -> None:
    on = {"hter": True, "use_distribution": True}
    for options, kind, message in (
        ({"distribution_loss": "kl"}, "da", "kl needs the scores of raters. Add data.*.output.rater_scores"),
        ({"distribution_loss": "kl"}, "hter", "kl needs distribution: gaussian"),
    ):
        with pytest.raises(ConfigError, match=re.escape(message)):
            SentenceLevelConfig.from_dict(on | options).resolve({"sentence_scores": SCORES["0 to 1"]}, kind)
    with pytest.raises(ConfigError, match="kl needs distribution: gaussian"):
        SentenceLevelConfig.from_dict(on | {"distribution": "truncated", "distribution_loss": "kl"})
    SentenceLevelConfig.from_dict({"hter": True, "distribution": "gaussian"}).resolve({"sentence_scores": []}, None)
    assert "sentence_level.distribution is ignored" in caplog.text


def test_binary_says_whether_the_score_is_exactly_zero() -> None:
    output, gold = BinaryOutput(4, 2, 0.0), batch([2, 2, 2], sentence_scores=[0.0, 1e-6, 1.0])
    logits = torch.tensor(of_odds(3, 3, 1 / 3))
    expected = (LOG[4] + math.log(4 / 3) + LOG[4]) / 3
    assert output.loss(logits, gold).item() == pytest.approx(expected, abs=1e-5)
    assert output.values(logits)["binary"].tolist() == [pytest.approx(p) for p in (0.75, 0.75, 0.25)]


def test_verdicts_have_weights() -> None:
    config = QEOutputs.Config.from_dict({"sentence_level": {"binary": True, "class_weights": {"binary": {"BAD": 4.0}}}})
    module = QEOutputs(config, SIZES)
    logits = {"binary": torch.tensor(of_odds(3, 3))}
    # Weights are not divided out, so that the loss of a segment does not depend on its batch.
    expected = (LOG[4] + 4 * math.log(4 / 3)) / 2
    assert module.loss(logits, batch([2, 2], binary=[0, 1]))["binary_loss"].item() == pytest.approx(expected, abs=1e-5)
    assert not [name for name in module.state_dict() if "class_weights" in name]


SIZES = FeatureSizes(target=3, source=2, sentence=4)
ALL = {
    "word_level": {"target": True, "gaps": True, "source": True},
    "sentence_level": {"hter": True, "binary": True},
}


def outputs(**options: Any) -> QEOutputs:
    return QEOutputs(QEOutputs.Config.from_dict(options), SIZES)


def test_losses_are_added_up_with_the_weight_of_the_sentence_level() -> None:
    module = outputs(**ALL, sentence_loss_weight=10.0)
    gold = batch(target_tags=[[0, 1]], gap_tags=[[0, 1, 0]], source_tags=[[1, 1]], sentence_scores=[0.5])
    logits = {
        "target_tags": torch.tensor([of_odds(1, 1)]),
        "gap_tags": torch.tensor([of_odds(1, 1, 1)]),
        "source_tags": torch.tensor([of_odds(1, 1)]),
        "sentence_scores": torch.tensor([[0.0]]),
        "binary": torch.tensor(of_odds(1)),
    }
    losses = {name: value.item() for name, value in module.loss(logits, gold).items()}
    assert losses == {
        "target_tags_loss": pytest.approx(4 * LOG[2]),
        "gap_tags_loss": pytest.approx(5 * LOG[2]),
        "source_tags_loss": pytest.approx(6 * LOG[2]),
        "sentence_scores_loss": pytest.approx(0.25),
        "binary_loss": pytest.approx(LOG[2]),
        "loss": pytest.approx(15 * LOG[2] + 10 * (0.25 + LOG[2])),
    }


def test_target_and_gaps_together_are_counted_as_wmt19() -> None:
    module = outputs(**ALL)
    accumulators = module.accumulators()
    gold = batch(
        [2, 1],
        target_tags=[[0, 1], [0, -1]],
        gap_tags=[[0, 0, 1], [0, 0, -1]],
        source_tags=[[0, 0], [1, -1]],
        sentence_scores=[0.0, 0.5],
    )
    logits = {
        "target_tags": torch.tensor([of_odds(9, 9), of_odds(1 / 9, 9)]),
        "gap_tags": torch.tensor([of_odds(1 / 9, 9, 9), of_odds(1 / 9, 1 / 9, 9)]),
        "source_tags": torch.tensor([of_odds(1 / 9, 1 / 9), of_odds(9, 9)]),
        "sentence_scores": torch.tensor([[0.0], [0.5]]),
        "binary": torch.tensor(of_odds(9, 9)),
    }
    module.update(accumulators, logits, gold)
    metrics = {name: value for part in accumulators.values() for name, value in part.compute().items()}
    assert set(metrics) == set(module.config.metric_names)
    assert metrics["target_tags_CORRECT"] == pytest.approx(2 / 3)
    assert metrics["gap_tags_CORRECT"] == pytest.approx(4 / 5)
    assert metrics["WMT19_CORRECT"] == pytest.approx(6 / 8)
    # Of target words and gaps: 4 OK as OK, 2 OK as BAD, 2 BAD as BAD.
    assert metrics["WMT19_MCC"] == pytest.approx(8 / math.sqrt(4 * 2 * 6 * 4))
    assert metrics["WMT19_F1_MULT"] == pytest.approx((8 / 10) * (4 / 6))
    assert metrics["source_tags_MCC"] == pytest.approx(1.0)
    assert metrics["PEARSON"] == pytest.approx(1.0)
    assert metrics["RMSE"] == pytest.approx(0.0)
    assert metrics["binary_CORRECT"] == pytest.approx(0.5)


@pytest.mark.parametrize(
    ("options", "names", "first"),
    [
        ({"word_level": {"target": True}}, ["target_tags"], "target_tags_MCC"),
        ({"word_level": {"gaps": True}}, ["gap_tags"], "gap_tags_MCC"),
        ({"word_level": {"source": True}}, ["source_tags"], "source_tags_MCC"),
        ({"sentence_level": {"hter": True}}, ["sentence_scores"], "PEARSON"),
        ({"sentence_level": {"binary": True}}, ["binary"], "binary_CORRECT"),
        (ALL, ["target_tags", "gap_tags", "source_tags", "sentence_scores", "binary"], "target_tags_MCC"),
    ],
)
def test_names_of_outputs_and_metrics(options: dict[str, Any], names: list[str], first: str) -> None:
    config = QEOutputs.Config.from_dict(options)
    assert config.names == names
    assert config.metric_names[0] == first
    assert len(set(config.metric_names)) == len(config.metric_names)
    assert ("WMT19_MCC" in config.metric_names) == ({"target_tags", "gap_tags"} <= set(names))


def test_verdicts_of_a_file_come_before_those_of_scores() -> None:
    module = outputs(sentence_level={"binary": True})
    logits = {"binary": torch.tensor([[0.0, 3.0], [3.0, 0.0]])}
    of_scores = batch([1, 1], sentence_scores=[0.5, 0.0])
    of_file = batch([1, 1], sentence_scores=[0.5, 0.0], binary=[0, 1])
    accumulators = {}
    for name, gold in (("scores", of_scores), ("file", of_file)):
        accumulators[name] = module.accumulators()
        module.update(accumulators[name], logits, gold)
    assert accumulators["scores"]["binary"].compute()["binary_MCC"] == 1.0
    assert accumulators["file"]["binary"].compute()["binary_MCC"] == -1.0
    losses = [float(module.loss(logits, gold)["binary_loss"]) for gold in (of_scores, of_file)]
    assert losses == pytest.approx([math.log1p(math.exp(-3)), math.log1p(math.exp(3))])


def test_metric_names_of_all_outputs() -> None:
    tags = [
        f"{side}_{name}"
        for side in ("target_tags", "gap_tags", "source_tags", "WMT19")
        for name in ("MCC", "F1_MULT", "CORRECT", "F1_OK", "F1_BAD")
    ]
    tags += [f"binary_{name}" for name in ("CORRECT", "MCC", "F1_MULT", "F1_OK", "F1_BAD")]
    tags += [f"binary_{name}" for name in ("MCC_at_K", "recall_at_K", "AUC", "AP")]
    expected = {*tags, "PEARSON", "SPEARMAN", "RMSE"}
    assert set(QEOutputs.Config.from_dict(ALL).metric_names) == expected


def test_dropout_of_the_features() -> None:
    torch.manual_seed(0)
    module = outputs(**ALL, dropout=0.5)
    features = Features(target=torch.ones(1, 2, 3), source=torch.ones(1, 2, 2), sentence=torch.ones(1, 4))
    for name in ALL["word_level"]:
        name = {"target": "target_tags", "gaps": "gap_tags", "source": "source_tags"}[name]
        module.train()
        assert len({tuple(module(features)[name].flatten().tolist()) for _ in range(8)}) > 1
        module.eval()
        assert len({tuple(module(features)[name].flatten().tolist()) for _ in range(8)}) == 1


def test_depth_of_the_sentence_level() -> None:
    for depth in (1, 3):
        module = outputs(sentence_level={"hter": True}, n_layers_output=depth)
        assert sum(isinstance(layer, torch.nn.Linear) for layer in module.modules()) == depth


def test_defaults() -> None:
    config = QEOutputs.Config.from_dict({"sentence_level": {"hter": True}})
    weights = {"BAD": 3.0}
    assert config.model_dump() == {
        "word_level": {
            "target": False,
            "gaps": False,
            "source": False,
            "gap_hidden_size": 0,
            "class_weights": {"target_tags": weights, "gap_tags": weights, "source_tags": weights},
        },
        "sentence_level": {"hter": True, "use_distribution": False, "binary": False},
        "sentence_loss_weight": 1.0,
        "dropout": 0.0,
        "last_activation": False,
        "n_layers_output": 3,
    }


@pytest.mark.parametrize(
    ("options", "messages"),
    [
        ({}, ["no output is on"]),
        ({"sentence_level": {"use_distribution": True}}, ["no output is on"]),
        (
            {"sentence_level": {"hter": True, "use_distribution": True}, "last_activation": True},
            ["last_activation cannot be combined with use_distribution"],
        ),
        (
            {"word_level": {"target": True, "class_weights": {"target_tags": {"BAD": -1}}}},
            ["class_weights.target_tags"],
        ),
        ({"word_level": {"target": True, "class_weights": {"target_tags": {"bad": 1}}}}, ["class_weights.target_tags"]),
        ({"sentence_level": {"binary": True, "class_weights": {"binary": {"bad": 1}}}}, ["class_weights.binary"]),
        ({"word_level": {"gap": True}}, ["word_level.gap: unknown key; did you mean 'gaps'?"]),
        ({"sentence_level": {"hter": True}, "n_layers_output": 0}, ["n_layers_output"]),
        ({"sentence_level": {"hter": True}, "sentence_loss_weight": -1}, ["sentence_loss_weight"]),
    ],
)
def test_configuration_errors(options: dict[str, Any], messages: list[str]) -> None:
    with pytest.raises(ConfigError) as error:
        QEOutputs.Config.from_dict(options)
    for message in messages:
        assert message in str(error.value)


@pytest.mark.parametrize("weight", [math.inf, math.nan, -math.inf])
@pytest.mark.parametrize(
    ("config", "place"),
    [
        *(
            (QEOutputs.Config, f"word_level.class_weights.{name}.BAD")
            for name in ("target_tags", "gap_tags", "source_tags")
        ),
        (QEOutputs.Config, "sentence_level.class_weights.binary.BAD"),
        (QEOutputs.Config, "sentence_loss_weight"),
        (QEOutputs.Config, "span_level.loss_weight"),
        (QEOutputs.Config, "span_level.class_weights.spans.minor"),
        (QEOutputs.Config, "span_level.class_weights.omissions.minor"),
        (QEOutputs.Config, "span_level.mqm_weights.minor"),
        (SpanDataConfig, "mqm_weights.minor"),
        (LoraConfig, "alpha"),
    ],
)
def test_weights_are_finite(config: type[BaseConfig], place: str, weight: float) -> None:
    """A loss with another one is not a number, which training took for a learning rate that is too high."""
    options: Any = weight
    for name in reversed(place.split(".")):
        options = {name: options}
    with pytest.raises(ConfigError, match=rf"{re.escape(place)}: .*(finite|greater than)"):
        config.from_dict(options)


@pytest.mark.parametrize(
    ("options", "columns", "messages"),
    [
        (
            {"word_level": {"gaps": True}},
            {"target_tags": ["OK"]},
            ["FILE", "one tag per word", "interleaved with gaps"],
        ),
        (
            {"sentence_level": {"hter": True, "use_distribution": True}},
            {"sentence_scores": ["0", "1", "1.5"]},
            ["FILE", "1.5", "from 0 to 1", "use_distribution"],
        ),
        (
            {"sentence_level": {"hter": True}, "last_activation": True},
            {"sentence_scores": ["-1"]},
            ["-1", "from 0 to 1"],
        ),
    ],
)
def test_labels_that_an_output_cannot_learn(
    options: dict[str, Any], columns: dict[str, list[str]], messages: list[str]
) -> None:
    places = dict.fromkeys(("target_tags", "sentence_scores"), "FILE")
    with pytest.raises(DataError) as error:
        QEOutputs.Config.from_dict(options).check_labels(columns, places)
    for message in messages:
        assert message in str(error.value)


@pytest.mark.parametrize("options", [{}, {"use_distribution": True, "distribution": "gaussian"}])
def test_any_score_can_be_learned_by_regression(options: dict[str, Any]) -> None:
    config = QEOutputs.Config.from_dict({"sentence_level": {"hter": True} | options})
    config.check_labels({"sentence_scores": SCORES["any"]}, {"sentence_scores": "FILE"})


def test_scores_of_16_bits_are_computed_in_32() -> None:
    logits = torch.tensor([[0.1, -0.2]], dtype=torch.bfloat16)
    output, gold = ScoreDistributionOutput(4, 2, 0.0), batch(sentence_scores=[0.5])
    expected = distribution(*(sigmoid(v) + e for v, e in zip(logits[0].tolist(), (0, MIN_DEVIATION), strict=True)))
    assert output.loss(logits, gold).item() == pytest.approx(-expected.logpdf(0.5), abs=1e-5)
    np.testing.assert_allclose(output.values(logits)["sentence_scores"], [expected.mean()], rtol=1e-4)
