"""Errors as problem documents (RFC 9457), which name the segment that they are about."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from http import HTTPStatus
from typing import Any

from starlette.responses import JSONResponse

from kiwi.utils.inputs import NO_SPACE


class Problem(Exception):
    """An error that a client is told.

    Args:
        status: the status of HTTP.
        name: the last part of the problem's type, such as ``queue-full``.
        detail: what was found, what was expected, and the next step.
        errors: the places in the request, with ``detail``, ``pointer`` and perhaps ``id``.
        headers: further headers.
    """

    def __init__(
        self,
        status: int,
        name: str,
        detail: str,
        errors: Sequence[Mapping[str, Any]] = (),
        headers: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(detail)
        self.status, self.name, self.detail, self.errors, self.headers = status, name, detail, errors, headers

    def response(self) -> JSONResponse:
        """Return the answer."""
        content = {
            "type": f"urn:kiwi:problem:{self.name}",
            "title": _title(self.status),
            "status": self.status,
            "detail": self.detail,
        }
        if self.errors:
            content["errors"] = list(self.errors)
        return ProblemResponse(content, self.status, self.headers)


class ProblemResponse(JSONResponse):
    """A problem document."""

    media_type = "application/problem+json"

    def render(self, content: Any) -> bytes:
        """Return the document in ASCII, for details that quote half of a character."""
        return json.dumps(content, ensure_ascii=True).encode()


def about_segment(index: int, field: str, detail: str, name: str | int | None) -> dict[str, Any]:
    """Return the place of an error in a segment of a request.

    Args:
        index: its number, from 0.
        field: the field; empty for the whole segment.
        detail: what is wrong.
        name: the segment's own name, if it has one.
    """
    place: dict[str, Any] = {"detail": detail, "pointer": f"#/segments/{index}" + (f"/{field}" if field else "")}
    return place if name is None else place | {"id": name}


def disk_problem(error: OSError) -> Exception:
    """Return what a client is told when a file could not be written: the disk is full, or else the error itself."""
    if error.errno not in NO_SPACE:
        return error
    return Problem(507, "disk-full", "The server has no room on its disk. Try later.")


CLIENT_GONE = 499
"""The status of requests whose client has gone away, which only the log and the metrics see."""


def _title(status: int) -> str:
    return "Client Gone" if status == CLIENT_GONE else HTTPStatus(status).phrase
