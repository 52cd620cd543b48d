"""What the tests share: a small corpus, a tiny configuration, and systems trained with it."""

from __future__ import annotations

import copy
import inspect
import logging
import os
import pickle
import signal
import warnings
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from typing import Any, TypeVar

import pytest
import torch
from filelock import FileLock

from kiwi.data.text.vocabulary import Vocabulary
from kiwi.lib.export import Export, export
from kiwi.lib.train import TrainRunInfo, train_from_configuration
from kiwi.runner import Runner
from kiwi.runner.torch_engine import runner_of
from kiwi.systems.qe_system import QESystem
from tests.browser import Chromium
from tests.mlflow_server import MLflowServer

torch.set_num_threads(1)  # some tests fork, after which threads of OpenMP would be waited for in vain

torch.set_num_threads(1)
# Shells start background processes with Ctrl-C ignored, which some tests send.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)
# Tests run on the CPU, on any machine.
os.environ.setdefault("CUDA_VISIBLE_DEVICES", "")
# MLflow tells its makers nothing of them.
os.environ["MLFLOW_DISABLE_TELEMETRY"] = "true"

SEGMENTS = {"train": 40, "valid": 12, "test": 10}
SUFFIXES = {
    "source": "src",
    "target": "mt",
    "alignments": "alignments",
    "post_edit": "pe",
    "source_pos": "src_pos",
    "target_pos": "mt_pos",
    "target_tags": "tags",
    "source_tags": "source_tags",
    "sentence_scores": "hter",
    "word_tags": "target_tags",
    "lp": "lp",
}
MADE_UP = ("_pos", "lp")


@dataclass(frozen=True)
class Corpus:
    """The beginning of each part of the bundled sample, with made-up part-of-speech tags and language pairs."""

    directory: Path

    def file(self, part: str, field: str) -> Path:
        return self.directory / f"{part}.{SUFFIXES[field]}"

    def lines(self, part: str, field: str) -> list[str]:
        return self.file(part, field).read_text(encoding="utf-8").splitlines()

    def inputs(self, part: str, *, pos: bool = False) -> dict[str, str]:
        fields = ["source", "target", "alignments", *(("source_pos", "target_pos") if pos else ())]
        return {field: str(self.file(part, field)) for field in fields}

    def labels(self, part: str) -> dict[str, str]:
        return {field: str(self.file(part, field)) for field in ("target_tags", "source_tags", "sentence_scores")}


def made_up_pos(line: str) -> str:
    return " ".join("NAME" if word[0].isupper() else "WORD" if word[0].isalpha() else "SIGN" for word in line.split())


@pytest.fixture(scope="session")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> Corpus:
    """Not to be written to."""
    corpus = Corpus(tmp_path_factory.mktemp("corpus"))
    sample = Path(str(resources.files("kiwi"))) / "assets" / "sample"
    for part, count in SEGMENTS.items():
        for suffix in SUFFIXES.values():
            if not suffix.endswith(MADE_UP):
                lines = (sample / f"{part}.{suffix}").read_text(encoding="utf-8").splitlines()[:count]
                (corpus.directory / f"{part}.{suffix}").write_text("\n".join(lines) + "\n", encoding="utf-8")
        for side in ("source", "target"):
            lines = [made_up_pos(line) for line in corpus.lines(part, side)]
            corpus.file(part, f"{side}_pos").write_text("\n".join(lines) + "\n", encoding="utf-8")
        pairs = ["et-en" if number % 4 == 3 else "en-de" for number in range(count)]
        corpus.file(part, "lp").write_text("\n".join(pairs) + "\n", encoding="utf-8")
    return corpus


def tiny_model() -> dict[str, Any]:
    side = {"hidden_sizes": [12, 8, 6, 4], "dropout": 0.1}
    return {
        "encoder": {"window_size": 3, "embeddings": {"source": {"dim": 8}, "target": {"dim": 8}}},
        "decoder": {"target": dict(side), "source": dict(side)},
        "outputs": {
            "word_level": {"target": True, "gaps": True, "source": True},
            "sentence_level": {"hter": True, "use_distribution": True, "binary": True},
        },
    }


def changed(options: Mapping[str, Any], changes: Mapping[str, Any]) -> dict[str, Any]:
    """A copy with values replaced by dotted path; None removes a key."""
    result: dict[str, Any] = copy.deepcopy(dict(options))
    for path, value in changes.items():
        *parents, last = path.split(".")
        place = result
        for key in parents:
            place = place.setdefault(key, {})
        if value is None:
            place.pop(last, None)
        else:
            place[last] = copy.deepcopy(value)
    return result


def tiny_options(corpus: Corpus, output_dir: Path) -> dict[str, Any]:
    return {
        "run": {"seed": 1, "output_dir": str(output_dir)},
        "trainer": {"epochs": 1},
        "data": {part: {"input": corpus.inputs(part), "output": corpus.labels(part)} for part in ("train", "valid")},
        "system": {
            "class_name": "NuQE",
            "batch_size": 8,
            "num_data_workers": 0,
            "model": tiny_model(),
            "optimizer": {"class_name": "adam", "learning_rate": 0.01},
        },
    }


Options = Callable[..., dict[str, Any]]


@pytest.fixture
def change() -> Callable[[Mapping[str, Any], Mapping[str, Any]], dict[str, Any]]:
    """``change(options, {"dotted.path": value})``."""
    return changed


@pytest.fixture
def options(corpus: Corpus, tmp_path: Path) -> Options:
    """``options({"dotted.path": value})``: the tiny training configuration with changes; runs in ``tmp_path/run``."""
    return lambda changes=None: changed(tiny_options(corpus, tmp_path / "run"), changes or {})


@pytest.fixture
def model_options() -> Options:
    """``model_options({"dotted.path": value})``: ``system.model`` of the tiny configuration with changes."""
    return lambda changes=None: changed(tiny_model(), changes or {})


@dataclass(frozen=True)
class Trained:
    """A training run of the tiny configuration."""

    options: dict[str, Any]
    info: TrainRunInfo
    output_dir: Path

    @property
    def path(self) -> Path:
        assert self.info.best_model_path is not None
        return self.info.best_model_path


@pytest.fixture(scope="session")
def trained(corpus: Corpus, tmp_path_factory: pytest.TempPathFactory) -> Trained:
    """Two epochs of the tiny configuration, all outputs; not to be changed."""
    output_dir = tmp_path_factory.mktemp("trained")
    options = changed(tiny_options(corpus, output_dir), {"trainer.epochs": 2, "trainer.main_metric": "RMSE"})
    return Trained(options, train_from_configuration(options), output_dir)


Made = TypeVar("Made")


def made_once(factory: pytest.TempPathFactory, name: str, make: Callable[[Path], Made]) -> Made:
    """Return what ``make`` returns for a new path; of the processes that run the tests, one calls it.

    Tokenizers of small models differ between processes, so what is made of a model is made where the model is.
    """
    root = factory.getbasetemp()
    if "PYTEST_XDIST_WORKER" in os.environ:  # each process has a folder in that of the run
        root = root.parent
    path = root / "made-once" / name
    path.parent.mkdir(exist_ok=True)
    result = path.with_name(f"{name}.pickle")
    with FileLock(f"{path}.lock"):
        if not result.exists():
            result.write_bytes(pickle.dumps(make(path)))
        made: Made = pickle.loads(result.read_bytes())
    return made


@pytest.fixture(scope="session")
def exported(trained: Trained, tmp_path_factory: pytest.TempPathFactory) -> Export:
    """The export of the trained system; not to be changed."""
    return made_once(tmp_path_factory, "exported", lambda path: export(trained.output_dir, path))


@pytest.fixture(scope="session")
def aligning_encoder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An encoder of four layers, which aligns words; not to be changed."""
    from tests.pretrained import write_model

    sizes: dict[str, Any] = {"num_hidden_layers": 4, "max_position_embeddings": 300}
    return made_once(tmp_path_factory, "tiny", lambda path: write_model("xlm-roberta", path, **sizes))


@pytest.fixture(scope="session")
def exported_aligner(aligning_encoder: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Not to be changed."""
    from kiwi.lib.align import export_aligner

    return made_once(tmp_path_factory, "aligner", lambda path: export_aligner(path, str(aligning_encoder)))


def random_system(corpus: Corpus, changes: Mapping[str, Any]) -> QESystem:
    """A system whose outputs differ from word to word, as those of little training hardly do."""
    config = QESystem.Config.from_dict({"class_name": "NuQE", "model": changed(tiny_model(), changes)})
    fields = ("source", "target", "source_pos", "target_pos")
    system = QESystem.build(config, {field: corpus.lines("train", field) for field in fields})
    generator = torch.Generator().manual_seed(12)
    with torch.no_grad():
        for name, weight in system.named_parameters():
            # Layers of the sentence level saturate sooner.
            scale = 0.8 if ".layers." in name else 3.0 / max(weight.shape[-1], 4) ** 0.5
            weight.copy_(scale * torch.randn(weight.shape, generator=generator))
    return system.eval()


@pytest.fixture(scope="session")
def plain_system(corpus: Corpus) -> QESystem:
    """All outputs, with random weights; not to be changed."""
    return random_system(corpus, {})


@pytest.fixture(scope="session")
def pos_system(corpus: Corpus) -> QESystem:
    """Reads part-of-speech tags, regresses scores, with random weights; not to be changed."""
    changes = {
        "encoder.window_size": 2,
        "encoder.embeddings.source_pos": {"dim": 3, "use_position_embeddings": True, "max_position_embeddings": 6},
        "encoder.embeddings.target_pos": {"dim": 2, "input_layer_norm": True, "scale_embeddings": True},
        "outputs.sentence_level.use_distribution": False,
    }
    return random_system(corpus, changes)


@pytest.fixture
def runner(plain_system: QESystem) -> Runner:
    """Predicts everything."""
    return runner_of(plain_system)


@pytest.fixture
def abc_vocabularies() -> dict[str, Vocabulary]:
    """Three words a side, at the indices 4, 5 and 6."""
    return {"source": Vocabulary.of(["a", "b", "c"]), "target": Vocabulary.of(["x", "y", "z"])}


@pytest.fixture(scope="session")
def _shared_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[MLflowServer]:
    server = MLflowServer(tmp_path_factory.mktemp("mlflow"))
    server.start()
    yield server
    server.kill()


@pytest.fixture
def mlflow_server(_shared_server: MLflowServer) -> MLflowServer:
    """A server that is up; one for all tests, because it is slow to start. Each makes experiments of its own."""
    if not _shared_server.is_up:
        _shared_server.start()
    return _shared_server


@pytest.fixture(scope="session")
def _shared_browser() -> Iterator[Chromium]:
    with Chromium() as browser:
        yield browser


@pytest.fixture
def browser(_shared_browser: Chromium) -> Iterator[Chromium]:
    """A browser, in whose thread the test runs; one for all tests, because it is slow to start."""
    yield _shared_browser
    _shared_browser.close_windows()


@pytest.hookimpl(tryfirst=True)
def pytest_pyfunc_call(pyfuncitem: pytest.Function) -> bool | None:
    browser = pyfuncitem.funcargs.get("browser")
    if not isinstance(browser, Chromium):
        return None
    arguments = {name: pyfuncitem.funcargs[name] for name in inspect.signature(pyfuncitem.obj).parameters}
    browser.run(lambda: pyfuncitem.obj(**arguments))
    return True


@pytest.fixture(autouse=True)
def _global_state() -> Iterator[None]:
    """What a pipeline sets for its whole process is put back after each test."""
    yield
    logger = logging.getLogger("kiwi")
    for handler in list(logger.handlers):
        logger.removeHandler(handler)
        handler.close()
    logger.setLevel(logging.NOTSET)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.use_deterministic_algorithms(False)
