from __future__ import annotations

import math
from pathlib import Path

import pytest
import yaml

from kiwi.exceptions import ConfigError
from kiwi.serve.jobs.job import clean_name, scored_name
from kiwi.serve.keys import Key, Keyring, describe_new_key, hash_key, read_keys
from kiwi.serve.options import ServeOptions, parse_named


def test_a_new_key_is_accepted_from_a_file_and_from_the_environment(tmp_path: Path) -> None:
    text = describe_new_key("ci")
    key = text.splitlines()[0].rpartition(" ")[2]
    file = tmp_path / "keys.yaml"
    file.write_text(text.partition("\n\n")[2].partition("\n\n")[0], encoding="utf-8")
    (from_file,) = read_keys(file)
    (from_environment,) = read_keys(None, text.rpartition("KIWI_SERVE_KEYS=")[2])
    assert from_file == from_environment == Key(name="ci", sha256=hash_key(key))
    keyring = Keyring([Key(name="other", sha256="0" * 64), from_file])
    assert keyring.find(key) is from_file
    assert keyring.find(key[:-1]) is None
    assert keyring.find("") is None
    assert keyring.find("\ud800ä") is None
    assert key not in file.read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("content", "environment", "found"),
    [
        ({"keys": [{"name": "a", "sha256": "0" * 63}]}, "", "keys.yaml"),
        ({"keys": []}, "", "keys.yaml"),
        ({"keys": [{"name": "a b", "sha256": "0" * 64}]}, "", "name"),
        ({"keys": [{"name": "a", "sha256": "0" * 64, "rate": 0}]}, "", "rate"),
        ({"keys": [{"name": "a", "sha256": "0" * 64, "admn": True}]}, "", "admin"),
        ({"keys": [{"name": "a", "sha256": "0" * 64}]}, f"a={'1' * 64}", "found a twice"),
        (None, "secret", "64 digits"),
    ],
)
def test_keys_that_are_none(tmp_path: Path, content: object, environment: str, found: str) -> None:
    file = tmp_path / "keys.yaml"
    file.write_text(yaml.safe_dump(content), encoding="utf-8")
    with pytest.raises(ConfigError, match=found) as raised:
        read_keys(None if content is None else file, environment)
    assert "secret" not in str(raised.value)


def test_a_rate_holds_in_any_minute() -> None:
    now = 0.0
    key = Key(name="a", sha256="0" * 64, rate=30)
    keyring = Keyring([key], lambda: now)
    assert [keyring.wait(key) for _ in range(10)] == [0] * 10
    now = 50.0
    assert [keyring.wait(key) for _ in range(21)] == [0] * 20 + [10]
    now = 59.5
    assert keyring.wait(key) == 1
    now = 60.0  # the first ten are a minute ago, the others are not
    assert [keyring.wait(key) for _ in range(11)] == [0] * 10 + [50]
    now = 10_000.0
    assert [keyring.wait(key) for _ in range(31)] == [0] * 30 + [60]


@pytest.mark.parametrize("rate", [0.3, 0.5, 1.0, 1.5, 2.5, 2.9, 7.0])
def test_a_key_that_asks_all_the_time_gets_its_rate_whether_it_is_whole_or_not(rate: float) -> None:
    now = 0.0
    key = Key(name="a", sha256="0" * 64, rate=rate)
    keyring = Keyring([key], lambda: now)
    n_allowed = 0
    while now < 60 * 100:
        if not (wait := keyring.wait(key)):
            n_allowed += 1
        now += wait
    assert 100 * rate * 0.98 <= n_allowed <= 100 * rate + math.ceil(rate)


@pytest.mark.parametrize(("rate", "waits"), [(0.5, [0, 120]), (1.5, [0, 0, 80]), (2.9, [0, 0, 0, 63])])
def test_rates_that_are_not_whole_are_not_exceeded(rate: float, waits: list[int]) -> None:
    key = Key(name="a", sha256="0" * 64, rate=rate)
    keyring = Keyring([key], lambda: 0.0)
    assert [keyring.wait(key) for _ in waits] == waits
    assert Keyring([]).wait(Key(name="b", sha256="0" * 64)) == 0


def test_names_of_models() -> None:
    assert parse_named(["mini", "large=runs/x=y", "runs/model"], "--model") == {
        "mini": "mini",
        "large": "runs/x=y",
        "model": "runs/model",
    }
    assert parse_named(["a/policy.v2.json"], "--policy") == {"policy.v2": "a/policy.v2.json"}
    for given in (["a=1", "a=2"], ["=x"], ["a="], ["x y=z"], [""]):
        with pytest.raises(ConfigError, match="--model"):
            parse_named(given, "--model")


def test_hosts_that_a_server_answers_to() -> None:
    assert ServeOptions({}).hosts == ("127.0.0.1", "localhost", "::1")
    assert ServeOptions({}, host="0.0.0.0").hosts == ()
    assert ServeOptions({}, allowed_hosts=("kiwi.example",)).hosts == ("kiwi.example",)


@pytest.mark.parametrize(
    ("name", "expected"),
    [("../../etc/a.xlf", "a.xlf"), ("C:\\x\\a.xlf", "a.xlf"), ('a"\r\n.xlf', "a___.xlf"), ("", "file"), ("a/", "file")],
)
def test_names_of_files_are_one_part(name: str, expected: str) -> None:
    assert clean_name(name) == expected


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("a.xlf", "a.scored.xlf"),
        ("release-1.2.3.xlf", "release-1.2.3.scored.xlf"),
        ("my.final.copy.2024.xlf.gz", "my.final.copy.2024.scored.xlf.gz"),
        ("v1.2 report.CSV", "v1.2 report.scored.CSV"),
        (".hidden.csv", ".hidden.scored.csv"),
        ("a.csv.ZST", "a.scored.csv.ZST"),
    ],
)
def test_names_of_downloads_are_whole(name: str, expected: str) -> None:
    assert scored_name(name) == expected
