"""Options of the Python API: what is refused, and with which sentence."""

from __future__ import annotations

import io
import pickle
from dataclasses import replace
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np
import pytest

from kiwi.exceptions import ConfigError
from kiwi.lib.score import Input
from kiwi.lib.score.compare.compared import CompareOptions
from kiwi.lib.score.document.options import DocumentOptions
from kiwi.runner import PredictOptions


@pytest.mark.parametrize(
    ("kind", "options", "message"),
    [
        (DocumentOptions, {"languages": "en,de"}, "languages: found 'en,de'; expected a list or a tuple of strings."),
        (DocumentOptions, {"threshold": "0.5"}, "threshold: found '0.5'; expected a valid number."),
        (DocumentOptions, {"threshold": float("nan")}, "threshold: found nan; expected a finite number."),
        (DocumentOptions, {"tresh": 1}, "There is no option 'tresh'; did you mean 'threshold'?"),
        (DocumentOptions, {"policy": 1}, "policy: found 1; expected a path."),
        (DocumentOptions, {"policy": b"a"}, "policy: found b'a'; expected a path."),
        (DocumentOptions, {"languages": None}, "languages: found None; expected a list or a tuple."),
        (DocumentOptions, {"columns": None}, "columns: found None; expected a dictionary."),
        (DocumentOptions, {"audit": 0.5}, "audit: found 0.5; expected an instance of Audit."),
        (
            DocumentOptions,
            {"set_state": 1, "scale": "0-1"},
            "set_state: found 1; expected a valid boolean. scale: found '0-1'; expected 'own' or '0-100'.",
        ),
        (CompareOptions, {"resamples": -1}, "resamples: found -1; expected at least 0."),
        (CompareOptions, {"resamples": 10**9}, "resamples: found 1000000000; expected at most 1000000."),
        (CompareOptions, {"seed": 1.5}, "seed: found 1.5; expected a valid integer."),
        (CompareOptions, {"on_unusable": "nan"}, "on_unusable: found 'nan'; expected 'skip' or 'stop'."),
        (Input, {"columns": {"source": 1}}, "columns.source: found 1; expected a valid string."),
        (Input, {"files": {"source": "a", "target": 2}}, "files.target: found 2; expected a path."),
        (Input, {"table": 3}, "table: found 3; expected a path."),
        (Input, {"file": "a"}, "There is no option 'file'; did you mean 'files'?"),
    ],
)
def test_options_that_are_not_valid_are_named(kind: Any, options: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError) as error:
        kind(**options)
    assert str(error.value) == message


def test_an_option_without_its_name_is_named() -> None:
    with pytest.raises(ConfigError, match=r"^table: found 3; expected a path\.$"):
        Input({"source": Path("a")}, 3)  # type: ignore[arg-type]


def test_more_options_without_names_than_there_are_are_refused_in_one_sentence() -> None:
    known = "files, table, columns, pipe, pipe_form, has_header"
    message = f"Found 8 options without their names; expected at most 6: {known}."
    with pytest.raises(ConfigError) as error:
        Input({}, None, {}, None, "tsv", True, 6, 7)  # type: ignore[call-arg]
    assert str(error.value) == message


def test_an_option_that_is_given_with_and_without_its_name_is_refused() -> None:
    with pytest.raises(ConfigError, match=r"^scale: found 'own'; expected one value, not another one without its name"):
        CompareOptions("own", scale="own")  # type: ignore[misc]


class Folder:
    """An object that stands for a path."""

    def __fspath__(self) -> str:
        return "~/folder"


def test_any_object_that_stands_for_a_path_is_taken_for_one(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    segments = Input(files={"source": PurePosixPath("a")}, table=Folder())  # type: ignore[arg-type,dict-item]
    assert segments.paths == [Path("a"), tmp_path / "folder"]
    assert DocumentOptions(policy=PurePosixPath("~/p")).policy == tmp_path / "p"  # type: ignore[arg-type]
    assert PredictOptions(aligner=PurePosixPath("a")).aligner == Path("a")  # type: ignore[arg-type]


def test_a_pipe_of_text_is_refused() -> None:
    with pytest.raises(ConfigError, match=r"expected a stream of bytes, such as sys\.stdin\.buffer\.$"):
        Input(pipe=io.TextIOWrapper(io.BytesIO()))  # type: ignore[arg-type]


def test_paths_may_be_texts_and_numbers_those_of_numpy(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    segments = Input(files={"source": "~/a", "target": Path("b")}, table="t.tsv")  # type: ignore[arg-type,dict-item]
    assert segments.paths == [tmp_path / "a", Path("b"), Path("t.tsv")]
    options = DocumentOptions(threshold=np.float32(0.5), words=np.True_, languages=("en", "de"))  # type: ignore[arg-type]
    assert (options.threshold, options.words, options.languages) == (0.5, True, ("en", "de"))
    assert replace(CompareOptions("own", resamples=np.int64(3)), seed=2) == CompareOptions("own", None, 3, 2)  # type: ignore[arg-type]


def test_options_may_be_sent_to_another_process() -> None:
    for options in (DocumentOptions(threshold=1), CompareOptions(), Input(table=Path("a.tsv"))):
        assert pickle.loads(pickle.dumps(options)) == options
