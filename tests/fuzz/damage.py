"""Random damage to files, drawn by Hypothesis, and a judge that accepts success and kiwi's own errors only."""

from __future__ import annotations

import bz2
import copy
import gzip
import io
import json
import lzma
import os
import re
import resource
import signal
import sys
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager, redirect_stderr
from pathlib import Path
from typing import Any

import yaml
from hypothesis import HealthCheck, Phase, settings, strategies as st

from kiwi.cli import run

EXAMPLES = int(os.environ.get("KIWI_FUZZ_EXAMPLES", "25"))
"""The number of examples of each test; raise it to search for longer."""

SECONDS = 60
"""The time that one example may take, which is far more than any takes."""

MEMORY = 8 * 2**30
"""The address space in bytes that an example may add to what the process has."""

bounded = settings(
    max_examples=EXAMPLES,
    derandomize=True,
    database=None,
    deadline=None,
    # Without shrinking, whose time has no bound: the inputs are small as they are.
    phases=(Phase.explicit, Phase.generate),
    suppress_health_check=list(HealthCheck),
)
"""Settings under which a test draws the same examples each time."""

ODD_BYTES = [
    b"\x00",
    b"\xff",
    b"\xef\xbb\xbf",
    b"\xff\xfe",
    b"\x1b[31m",
    b"\r\r\n",
    b"\n\n\n",
    b"\t",
    b"\t\t\t",
    b"  ",
    b"[/bold]",
    b"nan",
    b"-inf",
    b"1e999",
    b"-1",
    b"99999999999999999999",
    b"\xc3",
    b'"',
    b"'",
    b"{",
    b"[" * 200,
    b"&a [*a, *a]",
    b"\xe2\x80\xa8",
    b"${x}",
    b"!!python/object/apply:os.system ['true']",
]

ODD_VALUES: list[Any] = [
    None,
    True,
    False,
    0,
    -1,
    1,
    2**31,
    2**63,
    10**30,
    0.5,
    -0.0,
    1e308,
    float("nan"),
    float("inf"),
    "",
    "x",
    "no",
    "[/red]\x1b[2J",
    "\x00",
    "../../x",
    "~/x",
    "x" * 300,
    "9" * 40,
    [],
    {},
    [None],
    {"x": 1},
    [[[[[1]]]]],
    [0] * 100,
]


@st.composite
def damaged_bytes(draw: st.DrawFn, content: bytes) -> bytes:
    """Content with one to three changes of its bytes, or encoded as something else."""
    encodings: list[Callable[[bytes], bytes]] = [
        lambda _: b"",
        lambda _: b"\n",
        gzip.compress,
        bz2.compress,
        lzma.compress,
        lambda given: gzip.compress(given)[:-9],
        lambda given: given.decode("utf-8", "replace").encode("utf-16"),
        lambda given: given.decode("utf-8", "replace").encode("utf-32-le"),
        lambda given: given.replace(b"\n", b"\r\n"),
        lambda given: given.replace(b"\n", b"\r"),
        lambda given: given[:-1],
        lambda given: given + given,
    ]
    if draw(st.integers(0, 4)) == 0:
        return draw(st.sampled_from(encodings))(content)
    for _ in range(draw(st.integers(1, 3))):
        content = draw(_edited(content))
    return content


@st.composite
def _edited(draw: st.DrawFn, content: bytes) -> bytes:
    place = draw(st.integers(0, len(content)))
    end = min(len(content), place + draw(st.integers(1, 40)))
    lines = content.split(b"\n")
    line = draw(st.integers(0, len(lines) - 1))
    match draw(st.sampled_from(["cut", "delete", "insert", "flip", "number", "drop line", "repeat line", "odd line"])):
        case "cut":
            return content[:place]
        case "delete":
            return content[:place] + content[end:]
        case "insert":
            return content[:place] + draw(st.sampled_from(ODD_BYTES)) + content[place:]
        case "flip":
            flipped = bytes(byte ^ (1 << draw(st.integers(0, 7))) for byte in content[place : place + 1])
            return content[:place] + flipped + content[place + 1 :]
        case "number":
            numbers = list(re.finditer(rb"[-+]?\d+(\.\d+)?", content))
            if not numbers:
                return content
            found = draw(st.sampled_from(numbers))
            return content[: found.start()] + draw(st.sampled_from(ODD_BYTES)) + content[found.end() :]
        case "drop line":
            del lines[line]
        case "repeat line":
            lines[line:line] = [lines[line]] * draw(st.integers(1, 3))
        case "odd line":
            lines[line] = draw(st.sampled_from(ODD_BYTES))
    return b"\n".join(lines)


def _places(value: Any, place: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    children = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, child in children:
        yield (*place, key)
        yield from _places(child, (*place, key))


@st.composite
def damaged_value(draw: st.DrawFn, value: Any) -> Any:
    """A nested value with one or two entries removed, renamed, exchanged for an odd value, or added."""
    value = copy.deepcopy(value)
    for _ in range(draw(st.integers(1, 2))):
        places = list(_places(value))
        if not places:
            return value
        *parents, last = draw(st.sampled_from(places))
        here = value
        for key in parents:
            here = here[key]
        match draw(st.sampled_from(["replace", "replace", "replace", "remove", "rename", "wrap"])):
            case "replace":
                here[last] = copy.deepcopy(draw(st.sampled_from(ODD_VALUES)))
            case "remove":
                del here[last]
            case "rename" if isinstance(here, dict):
                here[f"{last}x"] = here.pop(last)
            case _:
                here[last] = [here[last]]
    return value


@st.composite
def damaged_file(draw: st.DrawFn, path: Path) -> bytes:
    """The content of a file, damaged: JSON and YAML in their structure as often as in their bytes."""
    content = path.read_bytes()
    structured = {".json": (json.loads, json.dumps), ".yaml": (yaml.safe_load, yaml.safe_dump)}
    if path.suffix in structured and draw(st.booleans()):
        load, dump = structured[path.suffix]
        text: str = dump(draw(damaged_value(load(content))))
        return text.encode("utf-8", "surrogatepass")
    if path.suffix == ".safetensors":
        # The header is JSON behind its length; most of the rest are numbers, which nothing can be wrong with.
        return draw(damaged_bytes(content[:600])) + content[600:]
    return draw(damaged_bytes(content))


@contextmanager
def _time_limit() -> Iterator[None]:
    def too_long(*_: Any) -> None:
        raise AssertionError(f"took more than {SECONDS} seconds")

    former = signal.signal(signal.SIGALRM, too_long)
    signal.alarm(SECONDS)
    try:
        yield
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, former)


@contextmanager
def _memory_limit() -> Iterator[None]:
    if sys.platform != "linux":
        yield
        return
    pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[0])
    soft, hard = resource.getrlimit(resource.RLIMIT_AS)
    resource.setrlimit(resource.RLIMIT_AS, (pages * resource.getpagesize() + MEMORY, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_AS, (soft, hard))


def judge(attempt: Callable[[], Any]) -> str:
    """Run an attempt as the command line does, which succeeds or prints a sentence and returns exit code 2, 3 or 4.

    Any other exception, and an attempt that takes too long or too much memory, fails the test.

    Returns:
        The message, which is empty after a success.
    """
    with _time_limit(), _memory_limit(), warnings.catch_warnings(), redirect_stderr(io.StringIO()) as stderr:
        warnings.simplefilter("ignore")
        exit_code = run(attempt)
    message = stderr.getvalue()
    assert exit_code in (0, 2, 3, 4), (exit_code, message)
    if exit_code:
        assert "Error: " in message
        assert not re.search(r"[\x00-\x08\x0b-\x1f\x7f]", message), repr(message)
    return message
