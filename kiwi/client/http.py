"""The client of a server over HTTP."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict
from pathlib import Path
from types import TracebackType
from typing import Any, Literal, Self, Unpack

import httpx

from kiwi.client.answers import Answer, Segment, given, parse_answer
from kiwi.client.asked import (
    FileOptions,
    check_address,
    check_files,
    check_key,
    check_options,
    check_path,
    check_seconds,
    check_segments,
    check_tries,
    check_values,
)
from kiwi.client.errors import NoAnswerError, ServerError, no_answer, understood
from kiwi.utils.guard import Guard, record_written
from kiwi.utils.staging import staged

RETRIED = (429, 503)
"""The statuses after which a request is sent again, when the server says when."""

BROKEN = (httpx.NetworkError, httpx.RemoteProtocolError)
"""The errors of connections that have broken off, such as to a process of the server that has ended."""

SHORTEST_WAIT = 0.2
"""The number of seconds before the second try after a connection has broken off; it doubles with each try."""

LONGEST_WAIT = 30.0
"""The maximum number of seconds between two tries."""


class Client:
    """A client of a server.

    Requests that the server is too busy for are sent again, and so are those whose connection breaks off, unless the
    server might do something twice.

    Args:
        url: the address of the server, such as ``http://127.0.0.1:8000``.
        key: the API key, if the server needs one.
        timeout: the number of seconds for an answer.
        tries: how often a request is sent when the server is busy, or the connection breaks off, at least 1.

    Raises:
        ConfigError: when an argument is invalid.
    """

    def __init__(self, url: str, key: str | None = None, *, timeout: float = 120.0, tries: int = 5) -> None:
        address = check_address(url)
        if key is not None:
            check_key(key)
        check_seconds("timeout", timeout)
        check_tries(tries)
        headers = {} if key is None else {"Authorization": f"Bearer {key}"}
        self._client = httpx.Client(base_url=address, headers=headers, timeout=timeout)
        self._timeout = timeout
        self._tries = tries

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close the connections."""
        self._client.close()

    def score(
        self,
        segments: Sequence[Segment],
        *,
        model: str | None = None,
        policy: str | None = None,
        scale: Literal["own", "0-100"] = "own",
        words: bool = False,
        spans: bool = False,
        flags: bool = True,
        languages: tuple[str, str] | None = None,
    ) -> Answer:
        """Score segments.

        Args:
            segments: the segments.
            model: the name of a model; by default, that of the server.
            policy: the name of a policy, which adds decisions.
            scale: the model's own scale, or 0 (worst) to 100 (best).
            words: whether to get the probabilities of words and gaps.
            spans: whether to get error spans.
            flags: whether to get flags.
            languages: the languages of source and target, which some flags depend on.

        Raises:
            DataError: when a value cannot be sent, such as a string that is no text; the message names the segment.
            NoAnswerError: when the server does not answer.
            ServerError: when the server refuses the request.
        """
        found = check_segments(segments, Segment, "a Segment")
        asked = {
            "segments": [given(asdict(segment)) for segment in found],
            "model": model,
            "policy": policy,
            "scale": scale,
            "words": words,
            "spans": spans,
            "flags": flags,
            "languages": languages,
        }
        check_values(given(asked))
        answer = self._request("POST", "/v1/score", json=given(asked))
        with understood(self._client.base_url):
            return parse_answer(answer.json())

    def models(self) -> list[dict[str, Any]]:
        """Return the models of the server, the default first.

        Raises:
            NoAnswerError: when the server does not answer.
            ServerError: when the server refuses the request.
        """
        answer = self._request("GET", "/v1/models")
        with understood(self._client.base_url):
            models: list[dict[str, Any]] = answer.json()["models"]
            return models

    def score_file(
        self,
        path: str | Path,
        output: str | Path,
        *,
        poll: float = 1.0,
        overwrite: bool = False,
        **options: Unpack[FileOptions],
    ) -> dict[str, Any]:
        """Score a file of translations, and write the copy with its scores.

        Args:
            path: the file; ``~`` is the home directory.
            output: the file to write, when it is complete; it has the format and the compression of the file, such as
                ``.xlf.gz``, and its name says no others. The file itself is never replaced.
            poll: the number of seconds between two looks at the progress.
            overwrite: whether a file may be replaced that kiwi has not written.
            options: the parameters of ``POST /v1/files``, such as ``model`` or ``scale``.

        Returns:
            The state of the file at the end, such as the number of its segments.

        Raises:
            ConfigError: when there is no such file, an option is invalid, the name of the output says another
                format or compression, or a file would be replaced that must not be.
            DataError: when an option cannot be sent, such as a string that is no text.
            NoAnswerError: when the server does not answer.
            ServerError: when the server refuses the file, or cannot score it.
            WriteError: when the output cannot be written.
        """
        from kiwi.data.documents.copies import check_copy_name  # which loads all formats

        path, output = check_path("path", path), check_path("output", output)
        check_options(options)
        check_seconds("poll", poll)
        check_files(path, output)
        check_copy_name(path, output, compresses=False)
        Guard([path], overwrite, "overwrite=True").check([output])
        name = path.name.encode("utf-8", "replace").decode()  # a file system may have names that are no text
        asked = given({"name": name, **options})
        check_values(asked)
        answer = self._request("POST", "/v1/files", is_safe=False, body=lambda: _blocks(path), params=asked)
        with understood(self._client.base_url):
            url = answer.headers["location"]
        try:
            while (job := self._job(url))["state"] in ("waiting", "running"):
                time.sleep(poll)
            if job["state"] != "done":
                raise ServerError(409, {"detail": job.get("error")})
            with staged(output) as stage:
                self._download(f"{url}/content", stage)
            record_written(output)
        finally:
            with suppress(ServerError, NoAnswerError):  # it expires
                self._request("DELETE", url)
        return job

    def send_feedback(self, segments: Sequence[Mapping[str, Any]], *, model: str | None = None) -> int:
        """Send what people have made of translations, and return how many were stored.

        Args:
            segments: mappings with ``source``, ``target``, ``post_edit``, and perhaps ``id``, ``score``, ``decision``.
            model: the name of the model that scored them.

        Raises:
            DataError: when a value cannot be sent, such as a string that is no text; the message names the segment.
            NoAnswerError: when the server does not answer.
            ServerError: when the server refuses them.
        """
        found = check_segments(segments, Mapping, "a mapping, such as a dictionary")
        asked = given({"segments": [dict(segment) for segment in found], "model": model})
        check_values(asked)
        answer = self._request("POST", "/v1/feedback", is_safe=False, json=asked)
        with understood(self._client.base_url):
            return int(answer.json()["stored"])

    def _job(self, url: str) -> dict[str, Any]:
        """Return the state of a file."""
        answer = self._request("GET", url)
        with understood(self._client.base_url):
            return {"state": answer.json()["state"], **answer.json()}

    def _request(
        self,
        method: str,
        url: str,
        *,
        is_safe: bool = True,
        body: Callable[[], Iterator[bytes]] | None = None,
        **how: Any,
    ) -> httpx.Response:
        """Send a request, again if it is of use.

        Args:
            method: the method.
            url: the path.
            is_safe: whether it may be answered twice.
            body: returns the body from its beginning, for each try.
            how: the other arguments of httpx.
        """

        def send() -> httpx.Response:
            return self._client.request(method, url, content=None if body is None else body(), **how)

        return _checked(self._tried(send, is_safe=is_safe))

    def _download(self, url: str, path: Path) -> None:
        def send() -> httpx.Response:
            with self._client.stream("GET", url) as answer, path.open("wb") as copy:
                if not answer.is_success:
                    answer.read()
                    return answer
                for block in answer.iter_bytes():
                    copy.write(block)
            return answer

        _checked(self._tried(send, is_safe=True))

    def _tried(self, send: Callable[[], httpx.Response], *, is_safe: bool) -> httpx.Response:
        for attempt in range(1, self._tries + 1):
            try:
                answer = send()
            except httpx.HTTPError as error:
                # Without a connection, nothing has been asked.
                is_retried = isinstance(error, BROKEN) and (is_safe or isinstance(error, httpx.ConnectError))
                if attempt == self._tries or not is_retried:
                    raise no_answer(self._client.base_url, error, self._timeout, is_safe=is_safe) from error
                time.sleep(min(SHORTEST_WAIT * 2 ** (attempt - 1), LONGEST_WAIT))
                continue
            wait = answer.headers.get("retry-after", "")
            if answer.status_code not in RETRIED or not wait.isdigit() or attempt == self._tries:
                break
            time.sleep(min(float(wait), LONGEST_WAIT))
        return answer


def _checked(answer: httpx.Response) -> httpx.Response:
    """Return an answer that is no error.

    Raises:
        ServerError: when it is one.
    """
    if answer.is_success:
        return answer
    try:
        problem = answer.json()
    except ValueError:
        problem = {}
    raise ServerError(answer.status_code, problem if isinstance(problem, dict) else {})


def _blocks(path: Path) -> Iterator[bytes]:
    with path.open("rb") as file:
        while block := file.read(2**16):
            yield block
