"""The ranges of a search, and their checks before the first trial."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest
from optuna.distributions import CategoricalDistribution, FloatDistribution, IntDistribution

from kiwi.exceptions import ConfigError
from kiwi.lib.search import ClassWeightsConfig, Configuration, RangeConfig, SearchOptions
from kiwi.lib.search.config import load_search
from kiwi.lib.search.space import SearchSpace, build_space
from kiwi.lib.search.trial_values import encode_value
from kiwi.utils.dotted import flatten, put
from kiwi.utils.structured.writing import write_yaml
from tests.conftest import Corpus
from tests.pretrained import write_model

Options = Callable[..., dict[str, Any]]

WORD = "system.model.outputs.word_level"
WEIGHTS = f"{WORD}.class_weights"
SCORE = "system.model.outputs.sentence_level"

QUIET: dict[str, Any] = {
    "learning_rate": None,
    "class_weights": {"target_tags": None, "gap_tags": None},
    "sentence_loss_weight": None,
}
"""Options that search nothing."""


def space_of(base: Mapping[str, Any], options: Mapping[str, Any]) -> SearchSpace:
    return build_space(Configuration.from_dict({"base_config": base, "options": QUIET | dict(options)}))


def estimator(options: Options) -> dict[str, Any]:
    """Make the base configuration of a predictor-estimator."""
    sizes = {"hidden_size": 8, "rnn_layers": 1, "embeddings": {"source": {"dim": 8}, "target": {"dim": 8}}}
    changes = {
        "system.class_name": "PredictorEstimator",
        "system.model.encoder": sizes,
        "system.model.decoder": {"hidden_size": 8},
        f"{WORD}.source": False,
        f"{SCORE}.use_distribution": None,
    }
    return options(changes)


DROPOUTS = [
    "system.model.decoder.source.dropout",
    "system.model.decoder.target.dropout",
    "system.model.encoder.embeddings.source.dropout",
    "system.model.encoder.embeddings.target.dropout",
    "system.model.outputs.dropout",
]


@pytest.mark.parametrize(
    ("given", "keys", "distribution"),
    [
        (
            {"learning_rate": {"lower": 1e-4, "upper": 1e-2, "distribution": "loguniform"}},
            ["system.optimizer.learning_rate"],
            FloatDistribution(1e-4, 1e-2, log=True),
        ),
        ({"learning_rate": [0.1, 0.2]}, ["system.optimizer.learning_rate"], CategoricalDistribution([0.1, 0.2])),
        ({"dropout": {"lower": 0, "upper": 0.5, "step": 0.1}}, DROPOUTS, FloatDistribution(0.0, 0.5, step=0.1)),
        ({"dropout": {"lower": 0.0, "upper": 0.55, "step": 0.1}}, DROPOUTS, FloatDistribution(0.0, 0.5, step=0.1)),
        ({"warmup_steps": {"lower": 10, "upper": 90}}, ["system.optimizer.warmup_steps"], IntDistribution(10, 90)),
        ({"warmup_steps": {"lower": 0, "upper": 1}}, ["system.optimizer.warmup_steps"], FloatDistribution(0.0, 1.0)),
        (
            {"class_weights": {"target_tags": {"lower": 1, "upper": 10}, "gap_tags": None}},
            [f"{WEIGHTS}.target_tags.BAD"],
            FloatDistribution(1.0, 10.0),
        ),
        (
            {"class_weights": {"target_tags": None, "gap_tags": None, "source_tags": [1, 5]}},
            [f"{WEIGHTS}.source_tags.BAD"],
            CategoricalDistribution([1, 5]),
        ),
        (
            {"sentence_loss_weight": [2.0]},
            ["system.model.outputs.sentence_loss_weight"],
            CategoricalDistribution([2.0]),
        ),
        (
            {"space": {"system.batch_size": {"lower": 4, "upper": 16, "step": 4}}},
            ["system.batch_size"],
            IntDistribution(4, 16, step=4),
        ),
        (
            {"space": {"system.batch_size.train": [4, 8]}},  # the file has one batch size
            ["system.batch_size.train"],
            CategoricalDistribution([4, 8]),
        ),
        (
            {"space": {"system": {"optimizer": {"class_name": ["adam", "adamw"]}}}},
            ["system.optimizer.class_name"],
            CategoricalDistribution(["adam", "adamw"]),
        ),
        (
            {"space": {"system.model.decoder.target.hidden_sizes": [[4, 4, 4, 4], [8, 8, 8, 8]]}},
            ["system.model.decoder.target.hidden_sizes"],
            CategoricalDistribution(["json:[4, 4, 4, 4]", "json:[8, 8, 8, 8]"]),
        ),
        (
            {"space": {"system.model.decoder.target.hidden_sizes.0": {"lower": 4, "upper": 9}}},
            ["system.model.decoder.target.hidden_sizes.0"],
            IntDistribution(4, 9),
        ),
        ({"search_hter": True}, [f"{SCORE}.hter", f"{SCORE}.use_distribution"], CategoricalDistribution([True, False])),
    ],
)
def test_options_become_ranges_of_dotted_keys(
    given: dict[str, Any], keys: list[str], distribution: Any, options: Options
) -> None:
    parameters = space_of(options(), given).parameters
    assert [(sorted(each.keys), each.distribution) for each in parameters] == [(keys, distribution)]


def test_the_default_ranges_are_those_of_openkiwi(options: Options) -> None:
    space = build_space(Configuration.from_dict({"base_config": options()}))
    assert {each.name: each.distribution for each in space.parameters} == {
        "learning_rate": FloatDistribution(5e-7, 5e-5, log=True),
        "class_weights.target_tags": FloatDistribution(1.0, 10.0),
        "class_weights.gap_tags": FloatDistribution(1.0, 10.0),
        "sentence_loss_weight": FloatDistribution(1.0, 10.0),
    }
    checkpoint = space.trial_options.shared["trainer"]["checkpoint"]
    assert checkpoint == {"validation_steps": 0.2, "early_stop_patience": 10, "save_top_k": 1}
    # Outputs that are off have no weights, and an option that is in space is not searched twice.
    only_tags = options({f"{WORD}.gaps": None, f"{SCORE}": {}})
    ranges = {"space": {"system.optimizer.learning_rate": [0.1, 0.2]}}
    space = build_space(Configuration.from_dict({"base_config": only_tags, "options": ranges}))
    assert [each.name for each in space.parameters] == ["class_weights.target_tags", "system.optimizer.learning_rate"]


def test_the_defaults_are_those_of_openkiwi() -> None:
    fields = Configuration.model_fields
    assert [fields[name].default for name in ("directory", "seed", "search_name", "num_trials")] == [
        Path("optunaruns"),
        42,
        None,
        50,
    ]
    assert [fields[name].default for name in ("num_models_to_keep", "load_study", "verbose")] == [5, None, False]
    options = SearchOptions()
    assert (options.patience, options.validation_steps, options.search_method) == (10, 0.2, "multivariate_tpe")
    assert options.learning_rate == RangeConfig(lower=5e-7, upper=5e-5, distribution="loguniform")
    assert options.class_weights == ClassWeightsConfig(
        target_tags=RangeConfig(lower=1.0, upper=10.0), gap_tags=RangeConfig(lower=1.0, upper=10.0), source_tags=None
    )


def test_drawn_values_become_a_training_configuration(options: Options) -> None:
    given = {
        "dropout": {"lower": 0.0, "upper": 0.5},
        "space": {"system.model.decoder.target.hidden_sizes": [[4, 4, 4, 4], [8, 8, 8, 8]]},
    }
    space = space_of(options(), given)
    drawn = {"dropout": 0.25, "system.model.decoder.target.hidden_sizes": "json:[8, 8, 8, 8]"}
    trial = space.build_options(drawn, output_dir="x")
    model = trial["system"]["model"]
    assert model["decoder"]["target"] == {"hidden_sizes": [8, 8, 8, 8], "dropout": 0.25}
    assert model["encoder"]["embeddings"]["source"]["dropout"] == model["outputs"]["dropout"] == 0.25
    assert trial["run"]["output_dir"] == "x"
    assert space.trial_options.shared["system"]["model"]["outputs"]["dropout"] == 0.0


def test_outputs_are_switched_off_and_the_metric_is_one_that_all_trials_have(options: Options) -> None:
    space = space_of(options(), {"search_word_level": True})
    assert space.main_metric == ["PEARSON"]
    level = space.build_options({"search_word_level": False})["system"]["model"]["outputs"]["word_level"]
    assert (level["target"], level["gaps"], level["source"]) == (False, False, False)
    level = space.build_options({"search_word_level": True})["system"]["model"]["outputs"]["word_level"]
    assert (level["target"], level["gaps"], level["source"]) == (True, True, True)
    assert space_of(options(), {"search_hter": True}).main_metric == ["target_tags_MCC"]


def test_the_direction_is_that_of_the_metric(options: Options) -> None:
    for metric, is_high in {"RMSE": False, "PEARSON": True, "val_target_tags_MCC": True}.items():
        space = space_of(options({"trainer.main_metric": metric}), {"dropout": [0.1]})
        assert space.is_better_high == is_high


def test_sizes_and_layers_of_other_systems(options: Options, corpus: Corpus, tmp_path: Path) -> None:
    given = {"hidden_size": {"lower": 4, "upper": 8}, "search_mlp": True}
    found = {each.name: each.keys for each in space_of(estimator(options), given).parameters}
    assert found == {
        "hidden_size": ("system.model.encoder.hidden_size", "system.model.decoder.hidden_size"),
        "search_mlp": ("system.model.decoder.use_mlp",),
    }
    folder = write_model("bert", tmp_path / "model")
    base = options(
        {
            "system.class_name": "Bert",
            "system.batch_size": 8,
            "system.model": {"encoder": {"model_name": str(folder)}, "outputs": {"sentence_level": {"hter": True}}},
        }
    )
    given = {
        "freeze_epochs": {"lower": 0, "upper": 3},
        "bottleneck_size": [4, 8],
        "space": {"system.batch_size": [4, 8]},
    }
    space = space_of(base, given)
    assert space.parameters[1].distribution == IntDistribution(0, 3)
    # 40 segments make 5 batches of 8 or 10 batches of 4.
    for size, steps in {8: 10, 4: 20}.items():
        trial = space.build_options({"freeze_epochs": 2, "bottleneck_size": 4, "system.batch_size": size})
        assert trial["system"]["model"]["encoder"]["freeze_for_number_of_steps"] == steps
    # The data may be searched too; the test part has 10 segments.
    train, test = base["data"]["train"], {"input": corpus.inputs("test"), "output": corpus.labels("test")}
    space = space_of(base, {"freeze_epochs": [1, 2], "space": {"data.train": [train, test]}})
    for data, steps in ((train, 10), (test, 4), (train, 10)):
        trial = space.build_options({"freeze_epochs": 2, "data.train": encode_value(data)})
        assert trial["system"]["model"]["encoder"]["freeze_for_number_of_steps"] == steps


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        (
            {"space": {"system.optimizer.lerning_rate": [1]}},
            "options.space.system.optimizer.lerning_rate: 1 is rejected: system.optimizer.lerning_rate: unknown key; "
            "did you mean 'learning_rate'?",
        ),
        (
            {"learning_rate": {"lower": 0, "upper": 1}},
            "options.learning_rate: 0 is rejected: system.optimizer.learning",
        ),
        ({"dropout": {"lower": 0.5, "upper": 1.5}}, "options.dropout: 1.5 is rejected: "),
        ({"space": {"system.optimizer.class_name": ["adam", "adamx"]}}, "'adamx' is rejected"),
        ({"space": {"system.batch_size": {"lower": 1.5, "upper": 4}}}, "1.5 is rejected"),
        ({"space": {"system.batch_size.tran": [1]}}, "system.batch_size.tran: unknown key; did you mean 'train'?"),
        ({"space": {"trainer.epochs.x": [1]}}, "found 1 at trainer.epochs; expected options by name"),
        ({"space": {"system.model.decoder.target.hidden_sizes.7": [1]}}, "found a list of 4"),
        ({"space": {"run.output_dir": ["a", "b"]}}, "cannot be searched: each trial has a directory of its own"),
        ({"space": {"trainer.main_metric": ["RMSE"]}}, "cannot be searched: trials are compared by it"),
        ({"space": {"data.valid.input.source": ["a"]}}, "cannot be searched: trials are compared on it"),
        ({"search_mlp": True}, "options.search_mlp: NuQE has no such option"),
        ({"hidden_size": [4]}, "options.hidden_size: NuQE has no such option"),
        ({"bottleneck_size": [4]}, "options.bottleneck_size: NuQE has no such option"),
        ({"freeze_epochs": [1]}, "options.freeze_epochs: NuQE has no such option"),
        ({"dropout": [0.1, 0.1]}, "options.dropout: found [0.1, 0.1]; expected different choices"),
        (
            {"learning_rate": [0.1], "space": {"system.optimizer.learning_rate": [0.2]}},
            "system.optimizer.learning_rate is searched by another option too",
        ),
        ({}, "options: found no range"),
    ],
)
def test_ranges_that_do_not_fit_are_refused(given: dict[str, Any], expected: str, options: Options) -> None:
    with pytest.raises(ConfigError) as error:
        space_of(options(), given)
    assert expected in str(error.value)


def test_all_mistakes_are_listed_at_once(options: Options) -> None:
    given = {"dropout": [2.0], "space": {"trainer.epochs": [0], "run.seed": [1, 2]}}
    with pytest.raises(ConfigError) as error:
        space_of(options(), given)
    assert str(error.value).count("\n") == 2


@pytest.mark.parametrize(
    ("changes", "given", "expected"),
    [
        (
            {f"{WORD}.source": None},
            {"class_weights": {**QUIET["class_weights"], "source_tags": [1]}},
            f"options.class_weights.source_tags is ignored: base_config.{WORD}.source is off",
        ),
        ({SCORE: {}}, {"sentence_loss_weight": [1]}, "sentence_level has no output that is on"),
        ({}, {"freeze_epochs": [1, 2]}, "options.freeze_epochs is ignored: NuQE has no such option"),
        ({}, {"hidden_size": [4, 8]}, "options.hidden_size is ignored: NuQE has no such option"),
        ({}, {"bottleneck_size": [4, 8]}, "options.bottleneck_size is ignored: NuQE has no such option"),
        ({}, {"search_mlp": True}, "options.search_mlp is ignored: NuQE has no such option"),
    ],
)
def test_ranges_without_effect_are_left_out_with_a_warning(
    changes: dict[str, Any], given: dict[str, Any], expected: str, options: Options, caplog: pytest.LogCaptureFixture
) -> None:
    space = space_of(options(changes), {**given, "dropout": [0.1, 0.2]})
    assert [each.name for each in space.parameters] == ["dropout"]
    assert expected in caplog.text


SENTENCES_ONLY = {WORD: {}, f"{SCORE}.binary": None}
TAGS_ONLY = {SCORE: {}}


@pytest.mark.parametrize(
    ("changes", "search", "keys", "others"),
    [
        (
            SENTENCES_ONLY,
            "search_word_level",
            [f"{WORD}.target", f"{WORD}.gaps"],
            ["class_weights.target_tags", "class_weights.gap_tags"],
        ),
        (TAGS_ONLY, "search_hter", [f"{SCORE}.hter"], []),
        ({f"{SCORE}.use_distribution": None}, "search_hter", [f"{SCORE}.hter"], []),
    ],
)
def test_outputs_that_are_off_are_searched_too(
    changes: dict[str, Any], search: str, keys: list[str], others: list[str], options: Options
) -> None:
    weights = {name.partition(".")[2]: [1.0, 2.0] for name in others}
    given = {search: True, "sentence_loss_weight": [1.0, 2.0], "class_weights": {**QUIET["class_weights"], **weights}}
    space = space_of(options(changes), given)
    assert {each.name for each in space.parameters} == {search, "sentence_loss_weight", *others}
    first = {each.name: each.values[0] for each in space.parameters if isinstance(each.values, list)}
    for value in (True, False):
        trial = flatten(space.build_options(first | {search: value}))
        assert {trial[key] for key in keys} == {value}
    assert next(sorted(each.keys) for each in space.parameters if each.name == search) == sorted(keys)


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ({"options": {"dropout": {"lower": 1, "upper": 0}}}, "options.dropout: found lower 1 above upper 0"),
        ({"options": {"dropout": {"lower": 0, "upper": 1, "step": 0}}}, "expected a step above 0"),
        ({"options": {"dropout": {"lower": 0, "upper": 1, "distribution": "loguniform"}}}, "above 0"),
        ({"options": {"dropout": {"lower": 0, "upper": float("inf")}}}, "finite"),
        (
            {"options": {"dropout": {"lower": 1e-3, "upper": 1, "distribution": "loguniform", "step": 1}}},
            "a loguniform range has no step",
        ),
        ({"options": {"dropout": []}}, "options.dropout"),
        ({"options": {"search_word_level": True, "search_hter": True}}, "cannot be combined"),
        ({"options": {"pruner": "medium"}}, "options.pruner"),
        ({"load_study": "study.pkl"}, "a pickle, which could run code"),
        ({"load_study": "a", "search_name": "b"}, "search_name: load_study already names the search to resume"),
        ({"search_name": "a/b"}, "search_name"),
        ({"num_trails": 3}, "did you mean 'num_trials'?"),
    ],
)
def test_configurations_that_are_refused(given: dict[str, Any], expected: str, options: Options) -> None:
    with pytest.raises(ConfigError) as error:
        Configuration.from_dict({"base_config": options(), **given})
    assert expected in str(error.value)


def test_base_configurations_that_are_refused(options: Options) -> None:
    changes = {"trainer.resume": True, "trainer.epochs": 0}
    with pytest.raises(ConfigError) as error:
        Configuration.from_dict({"base_config": options(changes)})
    for path in ("base_config.trainer.resume", "base_config.trainer.epochs"):
        assert path in str(error.value)


def test_a_base_configuration_is_composed_in_place_or_from_a_file(options: Options, tmp_path: Path) -> None:
    settings = options()
    data = settings.pop("data")
    (tmp_path / "data").mkdir()
    write_yaml(tmp_path / "data" / "tiny.yaml", {"_epochs": 3, "data": data})
    write_yaml(tmp_path / "data" / "other.yaml", {"_epochs": 4, "data": data})
    settings["trainer"] = {"epochs": "${_epochs}"}
    base = {"defaults": [{"data": "tiny"}], **settings}
    write_yaml(tmp_path / "train.yaml", base)
    for given in (base, str(tmp_path / "train.yaml")):
        write_yaml(tmp_path / "search.yaml", {"base_config": given, "num_trials": 3})
        loaded = load_search(tmp_path / "search.yaml", ["num_trials=5", "base_config.system.batch_size=4"])
        config = Configuration.from_dict(loaded)
        assert config.num_trials == 5
        assert config.base_config.system.batch_size == 4
        assert config.base_config.trainer.epochs == 3
        loaded = load_search(tmp_path / "search.yaml", ["base_config.data=other"])
        assert Configuration.from_dict(loaded).base_config.trainer.epochs == 4
    from_dict = Configuration.from_dict({"base_config": str(tmp_path / "train.yaml")})
    assert from_dict.base_config.trainer.epochs == 3
    with pytest.raises(ConfigError, match="no such configuration file"):
        Configuration.from_dict({"base_config": str(tmp_path / "nothing.yaml")})


def test_ranges_on_the_command_line(options: Options, tmp_path: Path) -> None:
    write_yaml(tmp_path / "search.yaml", {"base_config": options(), "options": QUIET})
    overrides = ["options.space.system.batch_size=[4,8]", "options.dropout={lower: 0.1, upper: 0.2}"]
    space = build_space(Configuration.from_dict(load_search(tmp_path / "search.yaml", overrides)))
    assert {each.name for each in space.parameters} == {"dropout", "system.batch_size"}


def test_put_replaces_none() -> None:
    options: dict[str, Any] = {"a": None, "b": [1, {"c": 2}]}
    put(options, "a.x.y", 1)
    put(options, "b.1.c", 3)
    assert options == {"a": {"x": {"y": 1}}, "b": [1, {"c": 3}]}


def test_several_processes_for_one_trial_are_refused(options: Options, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LOCAL_WORLD_SIZE", "2")
    with pytest.raises(ConfigError, match="each trial trains in one process"):
        space_of(options(), {"dropout": [0.1]})


@pytest.mark.parametrize(
    ("changes", "search", "message"),
    [
        (
            {"trainer.main_metric": ["WMT19_MCC", "PEARSON"]},
            "search_hter",
            "search_hter is ignored: trials without the output have no PEARSON (base_config.trainer.main_metric)",
        ),
        ({"trainer.main_metric": "target_tags_MCC"}, "search_word_level", "have no target_tags_MCC"),
    ],
)
def test_searches_of_openkiwi_that_no_trial_could_compare(
    changes: dict[str, Any], search: str, message: str, options: Options, caplog: pytest.LogCaptureFixture
) -> None:
    space = space_of(options(changes), {search: True, "learning_rate": [0.1, 0.2]})
    assert search not in [each.name for each in space.parameters]
    assert message in caplog.text


def test_options_of_openkiwi_s_own_searches(options: Options, caplog: pytest.LogCaptureFixture) -> None:
    searching = {"class_weights": None, "search_sentence_loss_weight": True}
    config = Configuration.from_dict({"base_config": options({"debug": True}), "options": searching})
    assert not config.base_config.debug
    assert set(config.options.class_weights.model_dump().values()) == {None}
    assert "base_config.debug is switched off" in caplog.text
    assert "options.search_sentence_loss_weight is ignored" in caplog.text
