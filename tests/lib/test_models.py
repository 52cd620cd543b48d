"""Models that are installed as Python packages."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from importlib import invalidate_caches, metadata
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from huggingface_hub.utils import validate_repo_id

import kiwi
from kiwi.cli import app, run
from kiwi.exceptions import CheckpointError, ConfigError
from kiwi.lib.inspect import inspect_checkpoint, set_score_of
from kiwi.lib.publish import list_models, publish
from kiwi.lib.publish.package import PackageOptions
from kiwi.lib.route import FitOptions, fit_policy
from kiwi.lib.route.columns import Column
from kiwi.lib.score.calibration import calibrate
from kiwi.lib.score.calibration.data import CalibrationFiles
from kiwi.systems.manifest import locations
from kiwi.systems.manifest.locations import default_model, find_installed, installed_models, resolve_run_directory
from kiwi.systems.qe_system import QESystem
from kiwi.utils.guard import Guard

SOURCE, TARGET, PAIRS = ["the house ."], ["das Haus ."], ["0-0 1-1 2-2"]


@pytest.fixture(autouse=True)
def _without_mini(monkeypatch: pytest.MonkeyPatch) -> None:
    """Hide kiwi-mini, which may be installed where the tests run."""

    def entry_points(**selection: str) -> list[Any]:
        found: Any = metadata.entry_points(**selection)
        return [entry for entry in found if entry.dist is None or entry.dist.name != "kiwi-qe-mini"]

    monkeypatch.setattr(locations, "metadata", SimpleNamespace(entry_points=entry_points))


@pytest.fixture(scope="module")
def site(plain_system: QESystem, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A directory in which pip has installed a package with a model."""
    place = tmp_path_factory.mktemp("models")
    plain_system.save(place / "checkpoint")
    package = publish(
        place / "checkpoint", place / "package", package="kiwi-qe-tiny", package_version="1.2.0", licence="Apache-2.0"
    )
    command = [sys.executable, "-m", "pip", "install", "--quiet", "--no-index", "--no-deps", "--no-build-isolation"]
    subprocess.run([*command, "--target", str(place / "site"), str(package)], check=True)
    return place / "site"


@pytest.fixture
def installed(site: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Path]:
    """The package is importable, and the working directory is empty."""
    monkeypatch.syspath_prepend(site)
    monkeypatch.chdir(tmp_path)
    yield site
    for name in [name for name in sys.modules if name.startswith(("kiwi_qe_tiny", "other_model"))]:
        del sys.modules[name]


def add_package(place: Path, package: str, entry: str, code: str) -> None:
    """Write what pip would install for a package with a model."""
    place.mkdir(exist_ok=True)
    information = place / f"{package.replace('-', '_')}-1.0.dist-info"
    information.mkdir()
    (information / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {package}\nVersion: 1.0\n")
    (information / "entry_points.txt").write_text(f"[kiwi.models]\n{entry}\n")
    (place / f"{entry.split('=')[1].split(':')[0].strip()}.py").write_text(code)
    invalidate_caches()


def test_installed_model(installed: Path, plain_system: QESystem) -> None:
    directory = installed / "kiwi_qe_tiny" / "system"
    (model,) = installed_models().values()
    assert (model.name, model.package, model.version, model.path) == ("tiny", "kiwi-qe-tiny", "1.2.0", directory)
    assert find_installed("tiny") == resolve_run_directory("tiny") == directory
    assert find_installed("tini") is None
    assert default_model() == "tiny"
    expected = kiwi.Runner(kiwi.load_system(directory).engine).predict(SOURCE, TARGET, PAIRS)
    for name in ("tiny", None):
        assert kiwi.load_system(name).predict(SOURCE, TARGET, PAIRS) == expected


@pytest.mark.parametrize("name", ["config.yaml", "export.json", "SHA256SUMS", "best_model"])
def test_a_system_in_a_directory_comes_before_a_name(installed: Path, tmp_path: Path, name: str) -> None:
    """A damaged one too: another system must not take its place without a word."""
    (tmp_path / "tiny").mkdir()
    (tmp_path / "tiny" / name).touch()
    assert resolve_run_directory("tiny") == Path("tiny")
    with pytest.raises(CheckpointError):
        kiwi.load_system("tiny")
    assert default_model() == str(installed / "kiwi_qe_tiny" / "system")
    assert len(kiwi.load_system().predict(SOURCE, TARGET, PAIRS).sentence_scores) == len(SOURCE)


def test_other_directories_do_not_hide_a_name(installed: Path, tmp_path: Path) -> None:
    (tmp_path / "tiny").mkdir()
    (tmp_path / "tiny" / "notes.txt").touch()
    assert resolve_run_directory("tiny") == installed / "kiwi_qe_tiny" / "system"
    assert default_model() == "tiny"


def test_an_installed_model_is_never_changed(installed: Path, tmp_path: Path) -> None:
    """What would change a system in its place is refused, by the name of an installed one and by its path."""
    directory = installed / "kiwi_qe_tiny" / "system"
    before = {each: each.read_bytes() for each in directory.rglob("*") if each.is_file()}
    for name, lines in (("source", SOURCE), ("target", TARGET), ("gold", ["0.1"])):
        Path(name).write_text(f"{lines[0]}\n" * 20)
    files = CalibrationFiles({"source": Path("source"), "target": Path("target")}, {"sentence_scores": Path("gold")})
    refused = "tiny: would be changed, but it is installed, in the package kiwi-qe-tiny.*"
    for name in ("tiny", directory):
        with pytest.raises(ConfigError, match=refused + "kiwi calibrate CHECKPOINT DIRECTORY"):
            calibrate(name, files)
        with pytest.raises(ConfigError, match=refused + "kiwi publish"):
            set_score_of(name, "kind=hter")
    gold = Column(Path("gold"))
    with pytest.raises(ConfigError, match=r"policy\.json: would be written into the system in .*kiwi publish --policy"):
        fit_policy(directory / "policy.json", "tiny", gold, gold, FitOptions("hter <= 0.1"))
    with pytest.raises(ConfigError, match="would be written into the directory of a system"):
        Guard([], True, "--overwrite").check([directory / "scored.tsv"])
    assert {each: each.read_bytes() for each in directory.rglob("*") if each.is_file()} == before


def test_a_calibrated_copy_of_an_installed_model(installed: Path, capsys: pytest.CaptureFixture[str]) -> None:
    directory = installed / "kiwi_qe_tiny" / "system"
    before = inspect_checkpoint(directory).fingerprint
    for name, line in (("source", SOURCE[0]), ("target", TARGET[0]), ("pairs", PAIRS[0]), ("gold", "0.2\n0.6")):
        Path(name).write_text(f"{line}\n" * (10 if name == "gold" else 20))
    texts = ["-s", "source", "-t", "target", "-a", "pairs"]
    arguments = ["calibrate", "tiny", "copy", *texts, "--gold", "gold", "--quiet"]
    assert run(lambda: app(arguments, standalone_mode=False)) == 0
    assert capsys.readouterr().out == "copy\n"
    found = inspect_checkpoint("copy")
    assert found.info.data.intervals is not None
    assert inspect_checkpoint(directory).info.data.intervals is None
    assert inspect_checkpoint(directory).fingerprint == before != found.fingerprint
    assert run(lambda: app(arguments, standalone_mode=False)) == 2
    assert "copy: already exists" in capsys.readouterr().err
    assert run(lambda: app([*arguments, "--overwrite"], standalone_mode=False)) == 0
    # A copy shares no file with the original, and is changed in its place.
    assert all(each.stat().st_nlink == 1 for each in Path("copy").iterdir())
    arguments = ["calibrate", "copy", *texts, "--gold", "gold", "--confidence", "0.8"]
    assert run(lambda: app(arguments, standalone_mode=False)) == 0
    intervals = inspect_checkpoint("copy").info.data.intervals
    assert intervals is not None
    assert intervals.confidence == 0.8
    assert run(lambda: app([*arguments, "--overwrite"], standalone_mode=False)) == 2
    assert "--overwrite: given without DIRECTORY" in capsys.readouterr().err


def test_list(installed: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (listed,) = list_models()
    assert listed.inspection is not None
    assert listed.row()[:2] == ["tiny", "kiwi-qe-tiny 1.2.0"]
    assert listed.row()[-2].startswith("Apache-2.0")
    assert listed.row()[-1] == listed.inspection.info.sha256[:12]
    with pytest.raises(SystemExit, match="0"):
        sys.exit(run(lambda: app(["models", "--json"], standalone_mode=False)))
    (content,) = json.loads(capsys.readouterr().out)
    assert content["name"] == "tiny"
    assert content["licence"] == "Apache-2.0"
    assert content["outputs"] == listed.inspection.info.outputs
    assert content["sha256"] == listed.inspection.info.sha256


def test_score_without_a_model(installed: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for name, line in (("source", SOURCE[0]), ("target", TARGET[0]), ("pairs", PAIRS[0])):
        Path(name).write_text(f"{line}\n")
    arguments = ["score", "-s", "source", "-t", "target", "-a", "pairs", "--quiet"]
    outputs = []
    for model in ([], ["-m", "tiny"]):
        assert run(lambda model=model: app([*arguments, *model], standalone_mode=False)) == 0
        outputs.append(capsys.readouterr().out)
    assert outputs[0] == outputs[1] != ""


def test_compare_without_a_model(installed: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for name in ("source", "one", "other"):
        Path(name).write_text("a house .\n")
    arguments = ["compare", "-s", "source", "-t", "one", "-t", "other", "--no-align", "--quiet"]
    assert run(lambda: app(arguments, standalone_mode=False)) == 2
    assert "reads alignments" in capsys.readouterr().err  # the installed system does


def test_no_model(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.chdir(tmp_path)
    assert run(lambda: app(["score", "-s", "source", "-t", "target"], standalone_mode=False)) == 2
    assert "model (-m): not given, and no model is installed" in capsys.readouterr().err
    assert run(lambda: app(["models"], standalone_mode=False)) == 0
    assert "No model is installed" in capsys.readouterr().out


def test_damaged_and_broken_models(
    installed: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "empty").mkdir()
    add_package(tmp_path / "more", "other-model", "other = other_model:PATH", f"PATH = {str(tmp_path / 'empty')!r}")
    add_package(tmp_path / "more", "broken-model", "broken = other_model_broken:PATH", "1 / 0")
    add_package(tmp_path / "more", "ending-model", "ending = other_model_ending:PATH", "raise SystemExit(1)")
    monkeypatch.syspath_prepend(tmp_path / "more")
    assert list(installed_models()) == ["other", "tiny"]
    assert "ending-model: the model 'ending' cannot be loaded: SystemExit: 1" in caplog.text
    assert "broken-model: the model 'broken' cannot be loaded: ZeroDivisionError" in caplog.text
    with pytest.raises(ConfigError, match=r"found several installed models: other, tiny\. Name one"):
        default_model()
    listed = {each.model.name: each for each in list_models()}
    assert str(tmp_path / "empty") in listed["other"].problem
    assert listed["other"].row()[2] == listed["other"].problem
    assert listed["tiny"].problem == ""


def test_two_packages_with_one_name(installed: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    add_package(tmp_path / "more", "other-model", "tiny = other_model:PATH", "PATH = '.'")
    monkeypatch.syspath_prepend(tmp_path / "more")
    with pytest.raises(CheckpointError, match="tiny: found this model in two packages"):
        resolve_run_directory("tiny")


def test_default_of_several(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("mini", "other"):
        add_package(tmp_path / "more", f"{name}-model", f"{name} = other_model_{name}:PATH", "PATH = '.'")
    monkeypatch.syspath_prepend(tmp_path / "more")
    assert default_model() == "mini"


@pytest.mark.parametrize(
    ("name", "is_taken"),
    [
        ("foo bar/baz", False),
        ("organization/medical", True),
        ("medical", True),
        ("Org-1/a_b.c-d", True),
        ("_a/b_", True),
        (f"{'o' * 96}/{'n' * 96}", True),
        ("n" * 97, False),
        (f"{'o' * 97}/n", False),
        ("a/b/c", False),
        ("", False),
        ("/a", False),
        ("a/", False),
        ("a--b", False),
        ("a/b..c", False),
        ("-a/b", False),
        ("a./b", False),
        ("a/.b", False),
        ("a/b-", False),
        ("a/b.git", False),
        ("übersetzung", False),
        ("a/b\n", False),
        ("a@b", False),
    ],
)
def test_names_on_the_hub(name: str, is_taken: bool, tmp_path: Path) -> None:
    """What the hub refuses is refused before anything is read."""
    if is_taken:
        validate_repo_id(name)
    error, message = (
        (CheckpointError, "found nothing there") if is_taken else (ConfigError, "(?s)--name: found .*; expected ORGANI")
    )
    with pytest.raises(error, match=message):
        publish(tmp_path / "checkpoint", tmp_path / "out", name=name)


@pytest.mark.parametrize(
    ("package", "version", "message"),
    [
        ("kiwi qe", "1.0", "--package: found 'kiwi qe'; expected the name of a Python package"),
        ("../x", "1.0", "--package: found '../x'"),
        ("kiwi-", "1.0", "--package: found 'kiwi-'"),
        ("kiwi-qe-x", "one", "--package-version: found 'one'; expected a version such as 1.0.0"),
        ("kiwi", "1.0", "'kiwi', which would take the place of the module kiwi"),
        ("Kiwi.QE", "1.0", "'Kiwi.QE', which would take the place of the module kiwi_qe"),
        ("json", "1.0", "module json"),
        (None, "1.0", "--package-version: found 1.0 without --package"),
    ],
)
def test_names_of_packages(package: str | None, version: str, message: str, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=message):
        publish(tmp_path / "checkpoint", tmp_path / "out", package=package, package_version=version)


@pytest.mark.parametrize("licence", ["other", 'MIT"\nversion = "2', "Apache 2.0", ""])
def test_licences_of_packages(licence: str, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"(?s)--license: found .*names its licence as an SPDX expression"):
        publish(tmp_path / "checkpoint", tmp_path / "out", package="kiwi-qe-x", licence=licence)


def test_a_package_replaces_its_earlier_version(tmp_path: Path, plain_system: QESystem) -> None:
    checkpoint, package = tmp_path / "checkpoint", tmp_path / "package"
    plain_system.save(checkpoint)
    publish(checkpoint, package, package="kiwi-qe-x", package_version="1.0")
    left = package / "build" / "lib" / "kiwi_qe_x" / "__init__.py"
    left.parent.mkdir(parents=True)
    left.touch()
    with pytest.raises(ConfigError, match="already exists"):
        publish(checkpoint, package, package="kiwi-qe-x", package_version="2.0")
    with pytest.raises(ConfigError, match=r"found no kiwi_qe_y/system/SHA256SUMS"):
        publish(checkpoint, package, package="kiwi-qe-y", overwrite=True)
    with pytest.raises(ConfigError, match=r"found no SHA256SUMS"):
        publish(checkpoint, package, overwrite=True)
    publish(checkpoint, package, package="kiwi-qe-x", package_version="2.0", overwrite=True)
    assert 'version = "2.0"' in (package / "pyproject.toml").read_text()
    assert not left.exists()
    (package / "kiwi_qe_x" / "notes.txt").write_text("by hand")
    with pytest.raises(ConfigError, match=r"found kiwi_qe_x/notes\.txt"):
        publish(checkpoint, package, package="kiwi-qe-x", overwrite=True)


def test_licence_and_model_of_a_package() -> None:
    options = PackageOptions("Kiwi-QE-Medical", licence="apache-2.0 and mit")
    assert (options.model, options.module, options.licence) == ("Medical", "kiwi_qe_medical", "Apache-2.0 AND MIT")
