"""The rules that hold the house together: who imports whom, what is documented, what is never done."""

from __future__ import annotations

import ast
import importlib
import inspect
import json
import os
import pkgutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

import kiwi
from kiwi.utils.io import BaseConfig

ROOT = Path(kiwi.__file__).parent

FLOORS = [
    {"utils", "constants", "exceptions", "outputs"},
    {"data", "modules", "metrics"},
    {"systems", "pages"},
    {"runner", "training", "loggers"},
    {"lib"},
    {"serve", "client"},
    {"cli"},
]
"""From the ground up; each imports only from those below it, and from its own room."""

MOST_IN_A_ROOM = 18
"""Files and folders of a package."""

INNER_FLOORS: dict[str, list[set[str]]] = {
    "data": [
        {"languages", "lists"},
        {"text", "flags", "batch", "sampling"},
        {"files"},
        {"labels"},
        {"readers", "collate"},
        {"segments", "wmt", "datasets", "documents"},
        {"post_edits"},
    ],
    "systems": [
        {"manifest", "features", "precision"},
        {"pretrained", "batching"},
        {"encoders", "decoders", "outputs", "checkpoint"},
        {"exported"},
        {"config"},
        {"system"},
        {"qe_system", "tlm_system"},
        {"onnx"},
    ],
    "lib": [
        {"utils", "inspect", "console"},
        {"train", "predict", "bulk", "evaluate", "score"},
        {"pretrain", "search", "thresholds", "export", "publish", "pretrained", "align", "corpus"},
        {"route"},
    ],
}
"""The same within the large packages."""

LIBRARIES = {
    "huggingface_hub": ["systems"],
    "fugashi": ["lib.corpus.tokenizers"],
    "ipadic": ["lib.corpus.tokenizers"],
    "jieba": ["lib.corpus.tokenizers"],
    "sacremoses": ["lib.corpus.tokenizers"],
    # What a database of MLflow needs.
    "alembic": ["loggers"],
    "fsspec": ["utils.places"],
    "lightning": ["training"],
    "mlflow": ["loggers"],
    "numpy": ["data", "metrics", "pages", "systems", "runner", "training", "lib"],
    "omegaconf": ["lib"],
    "onnx_ir": ["systems.onnx", "systems.exported", "lib.export", "lib.align"],
    "onnxruntime": ["runner.onnx_engine", "systems.onnx.optimize"],
    "onnxscript": ["systems.onnx.graph"],
    "openpyxl": ["data.documents.tables.xlsx"],
    "optuna": ["lib.search"],
    "packaging": ["lib.publish.package"],
    "peft": ["systems"],
    "plotly": ["lib.search"],
    "py3langid": ["data.flags.language"],
    "pyarrow": [
        "data.files.parquet",
        "data.files.table_writers",
        "data.segments.arrow",
        "data.segments.shards",
        "data.segments.shard_writers",
        "data.documents.tables.parquet",
    ],
    # zstd before Python 3.14.
    "backports": ["utils.compression"],
    "compression": ["utils.compression"],
    "fastapi": ["serve"],
    "httpx": ["client"],
    "prometheus_client": ["serve.metrics"],
    "starlette": ["serve"],
    "uvicorn": ["serve.server", "serve.processes", "serve.protocol"],
    "pydantic": ["utils", "data", "systems", "runner", "training", "lib", "serve"],
    "pydantic_core": ["utils", "data.text.partial_tokenizer", "serve.schemas"],
    # The tables of the command line, the handler that shows the log, the progress of a prediction, a search's table.
    "rich": ["lib.console.tables", "lib.console.progress", "lib.utils", "lib.search.progress"],
    "ray": ["lib.bulk.ray_pool"],
    "filelock": ["training", "lib.search"],
    "jinja2": ["utils.templates"],
    "safetensors": ["systems", "training", "lib.pretrained.encoder"],
    "sqlalchemy": ["loggers", "lib.search.storage"],
    "tensorboard": ["lib.train.setup"],
    "tokenizers": ["data", "systems", "lib.pretrained.trim"],
    "torch": ["modules", "systems", "training", "runner", "lib.predict", "lib.pretrained.trim", "lib.utils"],
    "transformers": ["systems"],
    "typer": ["cli"],
    "typing_extensions": [room for rooms in FLOORS for room in rooms],
    "yaml": ["utils"],
}
"""What is not of the standard library, and the rooms (or modules) that may import it."""

PIPELINES = ["train", "pretrain", "predict", "bulk", "evaluate", "search"]


@dataclass(frozen=True)
class Import:
    """One import statement's module, and whether it is run when the importing module is."""

    importer: str
    """Without ``kiwi.``: ``lib.train``; empty for the package itself."""

    imported: str
    at_once: bool
    line: int
    for_types: bool = False
    """Whether only a type checker runs it."""

    @property
    def room(self) -> str:
        return self.importer.partition(".")[0]

    def __str__(self) -> str:
        return f"kiwi.{self.importer}, line {self.line}: {self.imported}"


def module_name(path: Path) -> str:
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


SOURCES = {module_name(path): path for path in sorted(ROOT.rglob("*.py"))}
TREES = {name: ast.parse(path.read_text(encoding="utf-8"), str(path)) for name, path in SOURCES.items()}


def imports_of(importer: str, tree: ast.AST, at_once: bool = True, for_types: bool = False) -> Iterator[Import]:
    for node in ast.iter_child_nodes(tree):
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield Import(importer, alias.name, at_once, node.lineno, for_types)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"kiwi.{importer}, line {node.lineno}: a relative import"
            assert node.module is not None
            is_package = node.module == "kiwi" or (ROOT.parent / Path(*node.module.split("."))).is_dir()
            for alias in node.names if is_package else ():
                yield Import(importer, f"{node.module}.{alias.name}", at_once, node.lineno, for_types)
            if not is_package:
                yield Import(importer, node.module, at_once, node.lineno, for_types)
        else:
            typing_only = isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING"
            lazy = typing_only or isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda)
            yield from imports_of(importer, node, at_once and not lazy, for_types or typing_only)


IMPORTS = [found for name, tree in TREES.items() for found in imports_of(name, tree)]


def floor(room: str) -> int:
    return next(height for height, rooms in enumerate(FLOORS) if room in rooms)


def within(module: str, place: str) -> bool:
    return module == place or module.startswith(f"{place}.")


def misplaced(found: Import) -> bool:
    """Whether an import of kiwi's own goes up, or to a sibling."""
    target = found.imported.removeprefix("kiwi").removeprefix(".")
    if target == "__version__" or found.importer in ("", "__main__"):
        return False
    room = target.partition(".")[0]
    if room == found.room:
        return False
    here, there = floor(found.room), floor(room)
    return there > here or (there == here > 0)


def misplaced_within(found: Import) -> bool:
    """Whether an import goes up, or to a sibling, among the families of one package."""
    package, _, rest = found.imported.removeprefix("kiwi.").partition(".")
    inner_floors = INNER_FLOORS.get(package, [])
    here, there = found.importer.removeprefix(f"{package}.").partition(".")[0], rest.partition(".")[0]
    if package != found.room or not inner_floors or here == there or found.importer == package or found.for_types:
        return False
    heights = {name: height for height, names in enumerate(inner_floors) for name in names}
    return heights[there] >= heights[here]


def test_every_room_has_a_floor() -> None:
    rooms = {name.partition(".")[0] for name in SOURCES} - {"", "__main__"}
    assert rooms <= set().union(*FLOORS)
    assert len(SOURCES) > 30
    assert len(IMPORTS) > 200


def test_imports_go_down() -> None:
    own = [found for found in IMPORTS if within(found.imported, "kiwi")]
    assert [str(found) for found in own if misplaced(found)] == []
    assert [str(found) for found in own if misplaced_within(found)] == []


@pytest.mark.parametrize("package", INNER_FLOORS)
def test_every_family_has_an_inner_floor(package: str) -> None:
    families = {
        path.stem for path in (ROOT / package).iterdir() if path.suffix == ".py" or (path / "__init__.py").is_file()
    }
    names = [name for names in INNER_FLOORS[package] for name in names]
    assert sorted(names) == sorted(families - {"__init__", "__pycache__"})


@pytest.mark.parametrize("folder", sorted({path.parent for path in SOURCES.values()}), ids=lambda path: path.name)
def test_every_room_fits_on_a_screen(folder: Path) -> None:
    rooms = {path for path in folder.iterdir() if path.suffix == ".py" or any(path.glob("*.py"))}
    assert len(rooms) <= MOST_IN_A_ROOM


@pytest.mark.parametrize(
    ("importer", "imported", "expected"),
    [
        ("data.readers", "kiwi.data.files.lines", False),
        ("data.files.lines", "kiwi.data.readers", True),
        ("data.wmt.rows", "kiwi.data.segments.streams", True),
        ("data.wmt.rows", "kiwi.data.wmt.word_level", False),
        ("systems.config.qe", "kiwi.systems.qe_system", True),
        ("lib.predict.pipeline", "kiwi.lib.evaluate.sources", True),
        ("lib.search.worker", "kiwi.lib.train", False),
    ],
)
def test_the_inner_rule_itself(importer: str, imported: str, expected: bool) -> None:
    assert misplaced_within(Import(importer, imported, True, 1)) == expected


@pytest.mark.parametrize(
    ("importer", "imported", "expected"),
    [
        ("data.readers", "kiwi.utils.io", False),
        ("data.readers", "kiwi.data.labels.tags", False),
        ("utils.io", "kiwi.exceptions", False),
        ("systems.checkpoint", "kiwi.__version__", False),
        ("lib.train", "kiwi.training.module", False),
        ("data.readers", "kiwi.metrics.report", True),
        ("metrics.report", "kiwi.data.labels.tags", True),
        ("utils.io", "kiwi.data.labels.tags", True),
        ("systems.batching", "kiwi.training.module", True),
        ("systems.batching", "kiwi.lib.utils", True),
        ("runner", "kiwi.training.module", True),
        ("training.module", "kiwi.runner", True),
        ("lib.train", "kiwi.cli", True),
    ],
)
def test_the_rule_itself(importer: str, imported: str, expected: bool) -> None:
    assert misplaced(Import(importer, imported, True, 1)) == expected


def foreign(found: Import) -> str | None:
    """The library of an import that is neither kiwi's own nor of the standard library."""
    library = found.imported.partition(".")[0]
    return None if library == "kiwi" or library in sys.stdlib_module_names else library


def test_libraries_stay_in_their_rooms() -> None:
    found = [(imported, library) for imported in IMPORTS if (library := foreign(imported))]
    strays = [
        str(imported)
        for imported, library in found
        if not any(within(imported.importer, place) for place in LIBRARIES.get(library, []))
    ]
    assert strays == []
    assert {"torch", "lightning", "numpy", "typer", "omegaconf"} <= {library for _, library in found}


def test_what_loads_only_when_asked() -> None:
    # The command line imports nothing before a pipeline runs; the package itself nothing at all.
    at_once = [found for found in IMPORTS if found.at_once]
    heavy = {found.imported for found in at_once if found.room in ("cli", "__main__", "")}
    assert {
        name for name in heavy if name.partition(".")[0] not in sys.stdlib_module_names and not within(name, "kiwi.cli")
    } <= {"kiwi.__version__", "typer"}
    for importer, libraries in {
        "lib.utils": {"torch", "numpy"},
        "lib.evaluate.pipeline": {"torch"},
        "lib.train.setup": {"tensorboard"},
        "lib.search": {"optuna", "plotly"},
        "lib.search.pipeline": {"optuna", "plotly"},
        "lib.search.config": {"optuna", "plotly"},
        "lib.search.ranges": {"optuna", "plotly"},
        "lib.search.result": {"optuna", "plotly"},
        "lib.search.trial_values": {"optuna", "plotly"},
        "lib.train.pipeline": {"lightning"},
        "lib.bulk.pipeline": {"ray"},
        "lib.bulk.config": {"ray", "torch"},
        "utils.places": {"fsspec"},
        "data.segments.shards": {"pyarrow"},
        "loggers.store": {"mlflow", "alembic", "sqlalchemy"},
        "loggers.mlflow_tracking": {"mlflow"},
        "training.config": {"torch", "lightning"},
    }.items():
        assert not {foreign(found) for found in at_once if found.importer == importer} & libraries


def test_modules_know_no_configuration() -> None:
    found = {imported.imported for imported in IMPORTS if imported.room == "modules"}
    assert not [name for name in found if within(name, "kiwi") and not within(name, "kiwi.modules")]


def test_pipelines_do_not_import_each_other() -> None:
    found = {
        (importer, imported)
        for importer in PIPELINES
        for imported in PIPELINES
        for line in IMPORTS
        if importer != imported
        and within(line.importer, f"lib.{importer}")
        and within(line.imported, f"kiwi.lib.{imported}")
    }
    assert found <= {("pretrain", "train"), ("search", "train")}


# Nothing unpickles.

UNPICKLERS = {"pickle", "_pickle", "cPickle", "dill", "cloudpickle", "joblib", "shelve", "marshal"}
UNSAFE_CALLS = {
    "torch.load",
    "torch.jit.load",
    "np.load",
    "numpy.load",
    "yaml.unsafe_load",
    "yaml.full_load",
    "eval",
    "exec",
}


def unsafe(tree: ast.AST) -> list[str]:
    found = [name.imported for name in imports_of("x", tree) if name.imported.partition(".")[0] in UNPICKLERS]
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute | ast.Name) and ast.unparse(node) in UNSAFE_CALLS:
            found.append(ast.unparse(node))
        if isinstance(node, ast.ImportFrom) and node.module in ("torch", "numpy", "yaml"):
            found += [alias.name for alias in node.names if f"{node.module}.{alias.name}" in UNSAFE_CALLS]
        if isinstance(node, ast.keyword) and node.arg in ("allow_pickle", "weights_only"):
            found.append(node.arg)
    return found


def test_nothing_unpickles() -> None:
    assert {name: found for name, tree in TREES.items() if (found := unsafe(tree))} == {}


@pytest.mark.parametrize(
    "source",
    [
        "import pickle",
        "def f():\n    from pickle import load",
        "import joblib.memory",
        "import torch\nweights = torch.load(path)",
        "from torch import load",
        "import numpy as np\nnp.load(path, allow_pickle=True)",
        "yaml.unsafe_load(text)",
        "eval(text)",
    ],
)
def test_the_search_for_unpicklers_itself(source: str) -> None:
    assert unsafe(ast.parse(source))


# What is documented.


def undocumented(name: str, tree: ast.AST) -> Iterator[str]:
    if not ast.get_docstring(tree):  # type: ignore[arg-type]
        yield name
    for node in ast.iter_child_nodes(tree):
        if isinstance(node, ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef) and not node.name.startswith("_"):
            if isinstance(node, ast.ClassDef):
                yield from undocumented(f"{name}.{node.name}", node)
            elif not ast.get_docstring(node) and not is_override(node):
                yield f"{name}.{node.name}"


def is_override(node: ast.FunctionDef | ast.AsyncFunctionDef) -> bool:
    """Whether a method is documented by the base class."""
    return any(isinstance(decorator, ast.Name) and decorator.id == "override" for decorator in node.decorator_list)


@pytest.mark.parametrize("name", SOURCES)
def test_everything_public_has_a_docstring(name: str) -> None:
    assert list(undocumented(f"kiwi.{name}", TREES[name])) == []


def test_what_is_overridden_is_documented_in_the_base_class() -> None:
    overridden = {
        f"{cls.__module__}.{cls.__qualname__}.{name}": method
        for found in pkgutil.walk_packages([str(ROOT)], "kiwi.")
        if found.name != "kiwi.__main__"
        for cls in vars(importlib.import_module(found.name)).values()
        if inspect.isclass(cls) and cls.__module__ == found.name
        for name, method in [*vars(cls).items()]  # schemas are built when they are looked at
        if getattr(method, "__override__", False) and not name.startswith("_")
    }
    assert len(overridden) > 100
    assert [name for name, method in overridden.items() if not inspect.getdoc(method)] == []


def configurations() -> list[type[BaseConfig]]:
    for module in pkgutil.walk_packages([str(ROOT)], "kiwi."):
        if module.name != "kiwi.__main__":
            importlib.import_module(module.name)
    found: list[type[BaseConfig]] = []
    waiting = [BaseConfig]
    while waiting:
        for subclass in waiting.pop().__subclasses__():
            if subclass.__module__.startswith("kiwi."):
                found.append(subclass)
            waiting.append(subclass)
    return found


def test_every_option_has_a_description() -> None:
    found = configurations()
    assert len(found) > 25
    missing = [
        f"{config.__module__}.{config.__qualname__}.{name}"
        for config in found
        for name in config.model_fields
        if not config.descriptions().get(name, "").strip()
    ]
    assert missing == []


def test_every_configuration_is_frozen_and_refuses_unknown_keys() -> None:
    for config in configurations():
        assert config.model_config["frozen"], config
        assert config.model_config["extra"] == "forbid", config


# Names that others rely on.


@pytest.mark.parametrize(
    ("module", "names"),
    [
        ("kiwi", ["train_from_file", "load_system", "__version__"]),
        ("kiwi.utils.io", ["BaseConfig"]),
        ("kiwi.data.datasets.wmt_qe_dataset", ["WMTQEDataset"]),
        ("kiwi.systems.qe_system", ["QESystem"]),
        ("kiwi.systems.tlm_system", ["TLMSystem"]),
        ("kiwi.lib.pretrain", ["Configuration", "pretrain_from_file", "pretrain_from_configuration"]),
        ("kiwi.loggers", ["MLFlowTrackingLogger"]),
        ("kiwi.runner", ["Runner", "Predictions", "load_system"]),
        ("kiwi.lib.predict", ["load_system", "Configuration", "RunConfig"]),
        ("kiwi.lib.bulk", ["bulk_from_file", "bulk_from_configuration", "run", "BulkConfiguration", "BulkInfo"]),
        ("kiwi.lib.evaluate", ["evaluate_from_configuration"]),
        (
            "kiwi.lib.search",
            [
                "search_from_file",
                "search_from_configuration",
                "run",
                "RangeConfig",
                "ClassWeightsConfig",
                "SearchOptions",
                "Configuration",
            ],
        ),
        (
            "kiwi.lib.train",
            [
                "logger",
                "TrainRunInfo",
                "RunConfig",
                "CheckpointsConfig",
                "GPUConfig",
                "TrainerConfig",
                "Configuration",
                "train_from_file",
                "train_from_configuration",
                "setup_run",
                "run",
            ],
        ),
    ],
)
def test_names_that_are_promised(module: str, names: list[str]) -> None:
    loaded = importlib.import_module(module)
    for name in names:
        assert hasattr(loaded, name), name
        value = getattr(loaded, name)
        if inspect.isclass(value) or inspect.isfunction(value):
            assert inspect.getdoc(value), name


def test_the_public_names() -> None:
    tree = TREES[""]
    (block,) = [node for node in tree.body if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING"]
    typed = {}
    for node in block.body:
        assert isinstance(node, ast.ImportFrom)
        typed |= {alias.asname or alias.name: (node.module, alias.name) for alias in node.names}
    lazy = {name: (module, kiwi._ALIASES.get(name, name)) for name, module in kiwi._MODULES.items()}
    assert typed == lazy  # what a type checker sees is what is there
    assert sorted(kiwi.__all__) == sorted([*lazy, "__version__"])
    for name in kiwi.__all__:
        value = getattr(kiwi, name)
        assert value is not None
        assert name in dir(kiwi)
        if inspect.isclass(value) or inspect.isfunction(value):
            assert inspect.getdoc(value), name
    with pytest.raises(AttributeError, match="has no attribute 'load_sytem'"):
        kiwi.load_sytem  # noqa: B018


# What is loaded, in a process of its own.

STAGES = """
import importlib, json, logging, pkgutil, runpy, sys

HEAVY = ["torch", "lightning", "transformers", "pandas", "mlflow", "optuna", "sklearn", "scipy", "onnxruntime",
         "pyarrow", "ray", "fsspec", "torchmetrics", "pytorch_lightning", "safetensors",
         "huggingface_hub"]
loaded = {}

def stage(name):
    loaded[name] = [library for library in HEAVY if library in sys.modules]

def everything(package):
    module = importlib.import_module(package)
    for found in pkgutil.walk_packages(module.__path__, package + "."):
        importlib.import_module(found.name)

import kiwi
stage("kiwi")
sys.argv = ["kiwi", "--help"]
try:
    runpy.run_module("kiwi", run_name="__main__")
except SystemExit as end:
    assert end.code in (0, None), end.code
stage("help")
everything("kiwi.utils")
everything("kiwi.data")
stage("data")
everything("kiwi.metrics")
everything("kiwi.pages")
stage("metrics")
import kiwi.lib.utils, kiwi.lib.evaluate
stage("evaluate")
import kiwi.lib.inspect, kiwi.lib.publish, kiwi.lib.bulk.config
stage("inspect")
import kiwi.runner, kiwi.lib.predict
stage("runner")
import kiwi.lib.train
stage("train")
root = logging.getLogger()
print(json.dumps({"loaded": loaded, "handlers": len(root.handlers), "level": root.level,
                  "own": len(logging.getLogger("kiwi").handlers)}))
"""


@pytest.fixture(scope="module")
def stages() -> dict[str, object]:
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", STAGES],
        env={**os.environ, "OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    content: dict[str, object] = json.loads(done.stdout.splitlines()[-1])
    return content


@pytest.mark.parametrize(
    ("stage", "allowed"),
    [
        ("kiwi", set()),
        ("help", set()),
        ("data", set()),
        ("metrics", set()),
        ("evaluate", set()),
        ("inspect", set()),
        ("runner", {"torch", "transformers", "scipy", "sklearn", "safetensors", "huggingface_hub"}),
        ("train", {"torch", "transformers", "scipy", "sklearn", "safetensors", "huggingface_hub"}),
    ],
)
def test_what_is_loaded(stages: dict[str, object], stage: str, allowed: set[str]) -> None:
    loaded = stages["loaded"]
    assert isinstance(loaded, dict)
    assert set(loaded[stage]) <= allowed
    assert stage not in ("runner", "train") or "torch" in loaded[stage]


def test_logging_is_left_alone_by_imports(stages: dict[str, object]) -> None:
    assert stages["handlers"] == 0
    assert stages["own"] == 0
    assert stages["level"] == 30
