"""A run that is stopped anywhere and resumed ends like one that never stopped."""

from __future__ import annotations

import os
import signal
import sys
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import torch

import kiwi
from kiwi.exceptions import CheckpointError, ConfigError, KiwiError, StoppedError
from kiwi.lib.pretrain import pretrain_from_configuration
from kiwi.lib.train import TrainRunInfo, pipeline, train_from_configuration
from kiwi.systems import checkpoint
from kiwi.training import best_model, callbacks, keep_state, module, optimizers, run_record, state
from tests.pretrained import write_model

Options = Callable[..., dict[str, Any]]


def files(directory: Path) -> dict[str, bytes]:
    """Return the files of a run, except its log, times, and the paths of its own directory."""
    leave = {"output.log", "run.json", "config.yaml", ".lock"}
    there = [path for path in sorted(directory.rglob("*")) if path.is_file() and path.name not in leave]
    content = {str(path.relative_to(directory)): path.read_bytes() for path in there}
    return content | {
        str(path.relative_to(directory)): path.read_bytes() for path in sorted(directory.glob("checkpoints/*/*.yaml"))
    }


def stopped_everywhere(
    options: dict[str, Any], output_dir: Path, monkeypatch: pytest.MonkeyPatch, every: int
) -> TrainRunInfo:
    """Train, and stop and resume after every so many batches."""
    plain = keep_state.KeepState.on_train_batch_start
    calls = 0

    def counted(self: keep_state.KeepState, *args: Any) -> None:
        nonlocal calls
        calls += 1
        if calls % every == 0:
            os.kill(os.getpid(), signal.SIGTERM)
        plain(self, *args)

    monkeypatch.setattr(keep_state.KeepState, "on_train_batch_start", counted)
    options = {**options, "run": {**options["run"], "output_dir": str(output_dir)}}
    for _ in range(100):
        try:
            return train_from_configuration(options)
        except StoppedError:
            options = {**options, "trainer": {**options["trainer"], "resume": True}}
    raise AssertionError("still not done after 100 stops")


VARIANTS: dict[str, dict[str, Any]] = {
    "validation each epoch": {},
    "twice an epoch, three kept": {
        "trainer.checkpoint.validation_steps": 0.5,
        "trainer.checkpoint.save_top_k": 3,
    },
    "every three batches": {"trainer.checkpoint.validation_steps": 3},
    "plateau": {
        "system.optimizer": {
            "class_name": "sgd",
            "learning_rate": 0.01,
            "learning_rate_decay": 0.5,
            "learning_rate_decay_start": 0,
        },
        "trainer.checkpoint.validation_steps": 2,
    },
    "warm-up": {"system.optimizer": {"class_name": "adamw", "learning_rate": 0.01, "warmup_steps": 0.3}},
    "accumulation": {"trainer.gradient_accumulation_steps": 2, "trainer.checkpoint.validation_steps": 3},
    "averages": {
        "trainer.average_weights": 0.9,
        "trainer.gradient_accumulation_steps": 2,
        "trainer.checkpoint.validation_steps": 3,
    },
    "early stop": {"trainer.checkpoint.early_stop_patience": 2, "system.optimizer.learning_rate": 1e-9},
    "sparse": {
        "system.optimizer": {"class_name": "sparse_adam", "learning_rate": 0.01},
        "system.model.encoder.embeddings": {"source": {"dim": 8, "sparse_embeddings": True}, "target": {"dim": 8}},
    },
    "bfloat16": {"trainer.precision": "bf16", "trainer.amp_level": "O1"},
    "language pairs": {"data.pair_temperature": 3.0},
    "buckets and workers": {"data.buffer_size": 16, "system.num_data_workers": 2},
}


@pytest.mark.parametrize("name", list(VARIANTS))
@pytest.mark.parametrize("every", [2, 3])
def test_a_resumed_run_ends_like_one_that_never_stopped(
    name: str, every: int, options: Options, corpus: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = options({"trainer.epochs": 3, "trainer.log_interval": 1, **VARIANTS[name]})
    for part in ("train", "valid") if "data.pair_temperature" in VARIANTS[name] else ():
        settings["data"][part]["input"]["lp"] = str(corpus.file(part, "lp"))
    settings["run"]["output_dir"] = str(tmp_path / "whole")
    whole = train_from_configuration(settings)
    parts = stopped_everywhere(settings, tmp_path / "parts", monkeypatch, every)
    for weight, tensor in whole.model.state_dict().items():
        assert torch.equal(tensor, parts.model.state_dict()[weight]), weight
    assert whole.best_metrics == parts.best_metrics
    assert (whole.best_model_path and whole.best_model_path.name) == (
        parts.best_model_path and parts.best_model_path.name
    )
    one, other = files(tmp_path / "whole"), files(tmp_path / "parts")
    assert list(one) == list(other)
    assert [file for file in one if one[file] != other[file]] == []


@pytest.fixture
def ignoring_sigterm() -> Iterator[None]:
    """Let SIGTERM pass where nothing handles it, instead of ending the tests."""
    former = signal.signal(signal.SIGTERM, signal.SIG_IGN)
    yield
    signal.signal(signal.SIGTERM, former)


@pytest.mark.usefixtures("ignoring_sigterm")
@pytest.mark.parametrize(
    ("number", "reason"), [(signal.SIGTERM, "Stopped by SIGTERM."), (signal.SIGINT, "Stopped by Ctrl-C.")]
)
@pytest.mark.parametrize(
    ("owner", "name", "advice"),
    [
        (pipeline, "check_run", "Nothing was trained yet. Run the same command again."),
        (pipeline, "log_system", "It has no state yet. Run the same command again."),
        (module.TrainingModule, "setup", "It has no state yet. Run the same command again."),
        (keep_state.KeepState, "on_train_start", "It has no state yet. Run the same command again."),
        (pipeline, "predict_after_training", "To resume it, add to the same command: trainer.resume=true"),
    ],
)
def test_a_run_that_is_stopped_before_or_after_its_batches(
    owner: Any,
    name: str,
    advice: str,
    number: signal.Signals,
    reason: str,
    options: Options,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    settings = options({"run.predict_after_training": True})
    directory = Path(settings["run"]["output_dir"])
    plain = getattr(owner, name)

    def stop(*args: Any, **kwargs: Any) -> Any:
        os.kill(os.getpid(), number)
        return plain(*args, **kwargs)

    with monkeypatch.context() as patched:
        patched.setattr(owner, name, stop)
        with pytest.raises(StoppedError) as error:
            train_from_configuration(settings)
    assert str(error.value).startswith(f"{reason} ")
    assert str(error.value).endswith(advice)
    assert error.value.exit_code == 128 + number
    assert (signal.getsignal(signal.SIGTERM), signal.getsignal(signal.SIGINT)) == (
        signal.SIG_IGN,
        signal.default_int_handler,
    )
    status = run_record.read_status(directory)
    if name == "check_run":
        assert not status
    else:
        assert (status["status"], status["reason"]) == ("stopped", str(error.value))
    settings["trainer"]["resume"] = name == "predict_after_training"
    train_from_configuration(settings)
    assert run_record.read_status(directory)["status"] == "finished"


# Kills.


def killed(options: dict[str, Any], place: tuple[Any, str], call: int, after: bool, every_batch: bool) -> bool:
    """Train in a process that kills itself at a call of a function; return whether it did."""
    owner, name = place
    function, calls = getattr(owner, name), 0

    def deadly(*args: Any, **kwargs: Any) -> Any:
        nonlocal calls
        calls += 1
        if calls == call and not after:
            os.kill(os.getpid(), signal.SIGKILL)
        result = function(*args, **kwargs)
        if calls == call:
            os.kill(os.getpid(), signal.SIGKILL)
        return result

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # forking beside threads, which wait here
        child = os.fork()
    if child == 0:
        try:
            setattr(owner, name, deadly)
            keep_state.SHARE_OF_TIME = 1e9 if every_batch else 1e-9
            train_from_configuration(options)
        finally:
            os._exit(1)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == -signal.SIGKILL


EVERY_BATCH = [
    ((module.TrainingModule, "training_step"), 8, False),
    ((module.TrainingModule, "training_step"), 15, True),
    ((module.TrainingModule, "validation_step"), 3, False),
    ((module.TrainingModule, "on_validation_epoch_end"), 2, True),
    ((callbacks.BestCheckpoints, "on_validation_end"), 2, False),
    ((callbacks.BestCheckpoints, "on_validation_end"), 2, True),
    ((best_model.BestModel, "point_to"), 1, False),
    ((best_model.BestModel, "point_to"), 1, True),
    ((callbacks.BestCheckpoints, "remove_superseded"), 3, False),
    ((checkpoint, "save_file"), 2, True),
    ((checkpoint, "write_json"), 2, False),
    ((state, "save_file"), 2, False),
    ((state, "save_file"), 2, True),
    ((keep_state.KeepState, "save"), 2, True),
    ((optimizers, "save_optimizer_state"), 1, False),
    ((optimizers, "save_optimizer_state"), 1, True),
    ((run_record, "_write_status"), 2, False),
]
"""The places where a process is killed: a function, the number of the call, and whether after the call. The state is
saved before each batch."""

ONCE = [case for case in EVERY_BATCH if case[0][0] in (module.TrainingModule, callbacks.BestCheckpoints, optimizers)]
"""The same places, with a state of the first batch only, so that more has to be repeated."""


@pytest.mark.parametrize(
    ("place", "call", "after", "every_batch"),
    [(*case, True) for case in EVERY_BATCH] + [(*case, False) for case in ONCE if "superseded" not in case[0][1]],
    ids=lambda value: value[1] if isinstance(value, tuple) else None,
)
def test_a_run_that_was_killed_ends_like_one_that_was_not(
    place: tuple[Any, str], call: int, after: bool, every_batch: bool, options: Options, tmp_path: Path
) -> None:
    changes = {"trainer.epochs": 3, "trainer.checkpoint": {"validation_steps": 0.5, "save_top_k": 2}}
    settings = options({**changes, "trainer.log_interval": 1})
    settings["run"]["output_dir"] = str(tmp_path / "whole")
    whole = train_from_configuration(settings)
    settings["run"]["output_dir"] = str(tmp_path / "killed")
    assert killed(settings, place, call, after, every_batch)
    settings["trainer"]["resume"] = True
    resumed = train_from_configuration(settings)
    assert whole.best_metrics == resumed.best_metrics
    one, other = files(tmp_path / "whole"), files(tmp_path / "killed")
    assert list(one) == list(other)
    assert [file for file in one if one[file] != other[file]] == []
    assert not list((tmp_path / "killed").rglob("*kiwi-part"))


# Refusals.


@pytest.fixture
def stopped(options: Options, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """The options that resume a run that was stopped before its second epoch."""
    plain = keep_state.KeepState.on_train_batch_start

    def stop(self: keep_state.KeepState, trainer: Any, *args: Any) -> None:
        if trainer.current_epoch == 1:
            os.kill(os.getpid(), signal.SIGINT)
        plain(self, trainer, *args)

    settings = options({"trainer.epochs": 2})
    settings["run"]["output_dir"] = str(tmp_path / "run")
    with monkeypatch.context() as patched:
        patched.setattr(keep_state.KeepState, "on_train_batch_start", stop)
        with pytest.raises(StoppedError) as error:
            train_from_configuration(settings)
    assert "Stopped by Ctrl-C before batch 1 of epoch 2" in str(error.value)
    assert "add to the same command: trainer.resume=true" in str(error.value)
    assert error.value.exit_code == 130
    assert run_record.read_status(tmp_path / "run")["status"] == "stopped"
    settings["trainer"]["resume"] = True
    return settings


def refused(options: dict[str, Any], kind: type[KiwiError]) -> str:
    with pytest.raises(kind) as error:
        train_from_configuration(options)
    return str(error.value)


def test_a_finished_run_is_not_resumed(stopped: dict[str, Any]) -> None:
    info = train_from_configuration(stopped)
    assert run_record.read_status(Path(stopped["run"]["output_dir"]))["status"] == "finished"
    message = refused(stopped, ConfigError)
    assert "has finished" in message
    assert "system.load=" in message
    assert info.best_model_path is not None
    assert info.best_model_path.is_dir()


def test_another_configuration_is_not_resumed(stopped: dict[str, Any]) -> None:
    stopped["trainer"]["epochs"] = 7
    stopped["system"]["optimizer"]["warmup_steps"] = 3
    stopped["system"]["num_data_workers"] = 1
    message = refused(stopped, ConfigError)
    assert "trainer.epochs: 7; the run was started with 2" in message
    assert "system.optimizer.warmup_steps: 3; the run was started with null" in message
    assert "num_data_workers" not in message


def test_other_data_are_not_resumed(stopped: dict[str, Any], tmp_path: Path) -> None:
    source = Path(stopped["data"]["train"]["input"]["source"])
    text = source.read_text(encoding="utf-8")
    changed = text.replace(text.split()[0], "Other", 1)
    assert changed != text
    try:
        source.write_text(changed, encoding="utf-8")
        message = refused(stopped, ConfigError)
    finally:
        source.write_text(text, encoding="utf-8")
    assert "the data has changed" in message
    assert "train.source: " in message
    assert "valid.source" not in message


def test_another_version_is_not_resumed(stopped: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(state, "__version__", "9.8.7")
    message = refused(stopped, CheckpointError)
    assert kiwi.__version__ in message
    assert "this is kiwi 9.8.7" in message


@pytest.mark.parametrize(
    ("damage", "expected"),
    [
        (lambda content: content[: len(content) // 2], "cannot be read"),
        (lambda content: b"", "cannot be read"),
        (lambda content: content[:-9] + bytes([content[-9] ^ 1]) + content[-8:], "SHA-256"),
        (lambda content: content.replace(b"best_merit", b"best_merot", 1), "SHA-256"),
        (lambda content: b"\x80\x04\x95" + content, "cannot be read"),
        (lambda content: (2**62).to_bytes(8, "little") + content[8:], "cannot be read"),
    ],
)
def test_damaged_states_are_refused(stopped: dict[str, Any], damage: Callable[[bytes], bytes], expected: str) -> None:
    path = Path(stopped["run"]["output_dir"]) / state.STATE_FILE
    path.write_bytes(damage(path.read_bytes()))
    message = refused(stopped, CheckpointError)
    assert str(path) in message
    assert expected in message


def test_a_missing_run_is_not_resumed(options: Options, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for place in ("nowhere", "empty"):
        settings = options({"trainer.resume": True, "run.output_dir": str(tmp_path / place)})
        assert f"no run to resume: looked in {tmp_path / place}" in refused(settings, CheckpointError)
        (tmp_path / "empty").mkdir(exist_ok=True)
    assert not (tmp_path / "nowhere").exists()
    settings = options({"trainer.resume": True, "run.output_dir": None, "run.run_id": "0" * 32})
    assert f"looked in {tmp_path / 'runs'}, for {'0' * 32}" in refused(settings, CheckpointError)
    assert not (tmp_path / "runs").exists()


def test_a_run_without_a_state_is_not_resumed(stopped: dict[str, Any]) -> None:
    (Path(stopped["run"]["output_dir"]) / state.STATE_FILE).unlink()
    assert "found a run that was stopped before its first batch" in refused(stopped, CheckpointError)


def test_a_run_is_found_by_its_id(options: Options, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    settings = options({"run.output_dir": None, "run.run_id": "0123456789abcdef" * 2, "trainer.epochs": 2})
    assert killed(settings, (keep_state.KeepState, "save"), 1, True, True)
    settings["trainer"]["resume"] = True
    info = train_from_configuration(settings)
    assert info.best_model_path is not None
    assert info.best_model_path.is_relative_to(tmp_path / "runs" / "0" / ("0123456789abcdef" * 2))


def test_two_processes_do_not_train_in_one_directory(stopped: dict[str, Any]) -> None:
    output_dir = Path(stopped["run"]["output_dir"])
    (output_dir / state.STATE_FILE).unlink()
    with run_record.run_session(output_dir, {"run": {}}, resume=False):
        message = refused(stopped, ConfigError)
    assert f"process {os.getpid()} is training in" in message


@pytest.mark.parametrize("debug", [False, True])
def test_a_new_run_never_replaces_the_state_of_one_that_has_not_finished(stopped: dict[str, Any], debug: bool) -> None:
    output_dir = Path(stopped["run"]["output_dir"])
    before = files(output_dir), (output_dir / "config.yaml").read_bytes(), (output_dir / "run.json").read_bytes()
    stopped["trainer"]["resume"] = False
    message = refused({**stopped, "debug": debug}, ConfigError)
    assert "has the state of a run that has not finished" in message
    assert "trainer.resume=true" in message
    assert before == (
        files(output_dir),
        (output_dir / "config.yaml").read_bytes(),
        (output_dir / "run.json").read_bytes(),
    )
    (output_dir / state.STATE_FILE).unlink()
    assert train_from_configuration({**stopped, "debug": debug}).best_metrics


def test_the_second_signal_stops_at_once(options: Options, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def validate(self: Any, batch: Any, batch_idx: int) -> None:
        os.kill(os.getpid(), signal.SIGTERM)
        os.kill(os.getpid(), signal.SIGTERM)

    settings = options({"run.output_dir": str(tmp_path / "run")})
    with monkeypatch.context() as patched:
        patched.setattr(module.TrainingModule, "validation_step", validate)
        with pytest.raises(StoppedError) as error:
            train_from_configuration(settings)
    assert "Stopped by SIGTERM at once" in str(error.value)
    assert error.value.exit_code == 143
    assert signal.getsignal(signal.SIGTERM) == signal.SIG_DFL
    settings["trainer"]["resume"] = True
    assert train_from_configuration(settings).best_model_path is not None


# Other systems.


def test_a_pretrained_encoder_resumes(options: Options, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    model = {
        "encoder": {"model_name": str(write_model("bert", tmp_path / "bert")), "hidden_size": 12, "freeze_layers": 1},
        "decoder": {"hidden_size": 10, "bottleneck_size": 6},
        "outputs": {"word_level": {"target": True}, "sentence_level": {"hter": True}},
    }
    adam = {"class_name": "adamw", "learning_rate": 0.001, "encoder_learning_rate": 0.0001, "warmup_steps": 0.2}
    changes = {"system.class_name": "Transformer", "system.model": model, "system.optimizer": adam}
    settings = options({**changes, "data.train.input.alignments": None, "trainer.epochs": 2, "trainer.log_interval": 1})
    settings["run"]["output_dir"] = str(tmp_path / "whole")
    whole = train_from_configuration(settings)
    parts = stopped_everywhere(settings, tmp_path / "parts", monkeypatch, 3)
    for weight, tensor in whole.model.state_dict().items():
        assert torch.equal(tensor, parts.model.state_dict()[weight]), weight
    assert files(tmp_path / "whole") == files(tmp_path / "parts")


def test_pretraining_resumes(corpus: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    sides = {
        part: {"input": {k: v for k, v in corpus.inputs(part).items() if k != "alignments"}}
        for part in ("train", "valid")
    }
    encoder = {"embeddings": {"source": {"dim": 6}, "target": {"dim": 6}}, "hidden_size": 6, "rnn_layers": 1}
    options: dict[str, Any] = {
        "run": {"seed": 1, "output_dir": str(tmp_path / "whole")},
        "trainer": {"epochs": 2, "log_interval": 1},
        "data": sides,
        "system": {
            "class_name": "Predictor",
            "batch_size": 8,
            "num_data_workers": 0,
            "optimizer": {"class_name": "adam", "learning_rate": 0.01},
            "model": {"encoder": {**encoder, "dropout": 0.2}},
        },
    }
    pretrain_from_configuration(options)
    monkeypatch.setattr(sys.modules[__name__], "train_from_configuration", pretrain_from_configuration)
    stopped_everywhere(options, tmp_path / "parts", monkeypatch, 3)
    assert files(tmp_path / "whole") == files(tmp_path / "parts")
