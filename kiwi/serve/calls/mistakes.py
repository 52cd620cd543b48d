"""What is wrong with the form of a request: what was found, and what was expected, by JSON pointer."""

from __future__ import annotations

import json
from collections.abc import Sequence
from contextlib import suppress
from typing import Any, get_args

from pydantic import BaseModel
from starlette.datastructures import Headers

from kiwi.serve.problems import Problem
from kiwi.utils.io import did_you_mean

MOST_ERRORS = 20
"""The maximum number of mistakes in a request that an answer lists."""

LONGEST_NAME = 60
"""The maximum number of characters of a value that is quoted."""

JSON = "application/json"

WORDS = {
    "a valid dictionary or object to extract fields from": "an object",
    "a valid dictionary": "an object",
    "a valid tuple": "a valid list",
}
"""What expected types are called in JSON."""

QUOTED = ("literal_error", "_parsing", "finite_number")
"""The ends of the types of mistakes whose values are quoted, because they are no texts of segments."""


BOUNDS = ("less_than", "less_than_equal", "greater_than", "greater_than_equal")
"""The types of mistakes about numbers that are out of their range."""


def invalid_request(
    mistakes: Sequence[dict[str, Any]], body: Any, headers: Headers, model: type[BaseModel] | None
) -> Problem:
    """Return the problem of a request that has another form than its call describes.

    Args:
        mistakes: the mistakes, as pydantic lists them.
        body: the body of the request, as far as it could be parsed.
        headers: the headers of the request.
        model: the model of the body, if the call has one.
    """
    if any(mistake["loc"] == ("body",) for mistake in mistakes) and not _is_json(headers):
        return wrong_content_type(headers)
    found: dict[str, dict[str, Any]] = {}
    for mistake in mistakes:
        place = _place(mistake, body, model)
        former = found.setdefault(place["pointer"], place)
        expected = place["detail"].partition("; expected ")[2].rstrip(".")
        if former is not place and expected and expected not in former["detail"]:  # a value of one type or another
            former["detail"] = f"{former['detail'].rstrip('.')} or {expected}."
    places = list(found.values())[:MOST_ERRORS]
    more = f" (and {len(found) - MOST_ERRORS} more)" if len(found) > MOST_ERRORS else ""
    first = places[0]
    return Problem(422, "invalid", f"{first['pointer'] or 'The body'}: {first['detail']}{more}", places)


def wrong_content_type(headers: Headers) -> Problem:
    """Return the problem of a body that is not said to be JSON."""
    given = headers.get("content-type")
    found = "none" if given is None else f"'{given:.{LONGEST_NAME}}'"
    return Problem(415, "content-type", f"Content-Type: found {found}; expected {JSON}.")


def unreadable_body(cause: BaseException | None) -> Problem:
    """Return the problem of a body that cannot be parsed.

    Args:
        cause: the error of the parser.
    """
    if isinstance(cause, UnicodeDecodeError):
        detail = f"found byte 0x{cause.object[cause.start]:02x} at position {cause.start}; expected JSON in UTF-8."
    elif isinstance(cause, RecursionError):
        detail = "found JSON that is nested too deeply; expected the form that /openapi.json describes."
    else:
        detail = "found what cannot be parsed; expected JSON in UTF-8."
    return Problem(422, "invalid", f"The body: {detail}", [{"detail": detail, "pointer": ""}])


def check_parameters(given: Sequence[str], known: Sequence[str]) -> None:
    """Check that a call has the parameters that a request gives, and that it gives each of them once.

    Raises:
        Problem: when it has not, or a parameter is there twice.
    """
    for name in given:
        if name not in known:
            detail = f"found an unknown parameter; {did_you_mean(name, known)}"
        elif (n_given := given.count(name)) > 1:
            detail = f"found {n_given} values; expected one. Remove the others."
        else:
            continue
        place = {"detail": detail, "pointer": _pointer(("query", name))}
        raise Problem(422, "invalid", f"{name:.{LONGEST_NAME}}: {detail}", [place])


def _is_json(headers: Headers) -> bool:
    kind = headers.get("content-type", "").partition(";")[0].strip().lower()
    return kind == JSON or (kind.startswith("application/") and kind.endswith("+json"))


def _place(mistake: dict[str, Any], body: Any, model: type[BaseModel] | None) -> dict[str, Any]:
    """Return the place and the description of a mistake, without the texts that were given."""
    is_body = mistake["loc"][:1] == ("body",)
    path: Sequence[str | int] = mistake["loc"][1:] if is_body else mistake["loc"]
    if mistake["type"] == "json_invalid":
        reason = mistake.get("ctx", {}).get("error", "no JSON")
        return {"detail": f"found invalid JSON ({reason}) at position {path[0]}; expected an object.", "pointer": ""}
    if is_body:
        path = _existing(path, body, is_missing=mistake["type"] == "missing")
    place = {"detail": _describe(mistake, path, model if is_body else None), "pointer": _pointer(path)}
    if len(path) > 1 and path[0] == "segments" and isinstance(path[1], int):
        with suppress(LookupError, TypeError):
            name = body["segments"][path[1]]["id"]
            is_name = isinstance(name, str | int) and not isinstance(name, bool)
            return place | {"id": name} if is_name else place
    return place


def _existing(path: Sequence[str | int], body: Any, *, is_missing: bool) -> Sequence[str | int]:
    """Return the part of a path that a body has; pydantic adds the type, where a value may be of several types."""
    for index, part in enumerate(path):
        try:
            body = body[part]
        except (LookupError, TypeError):
            return path[: index + is_missing]
    return path


def _pointer(path: Sequence[str | int]) -> str:
    """Return a JSON pointer as a fragment; empty for the whole body."""
    parts = [str(part).replace("~", "~0").replace("/", "~1") for part in path]
    return "#" + "".join(f"/{part}" for part in parts) if parts else ""


def _describe(mistake: dict[str, Any], path: Sequence[str | int], model: type[BaseModel] | None) -> str:
    kind, message, about = mistake["type"], mistake["msg"], mistake.get("ctx", {})
    if kind == "missing":
        return "found nothing; expected a value, which is required."
    if kind == "extra_forbidden":
        known = _fields(model, path[:-1])
        return "found an unknown field; " + (did_you_mean(path[-1], known) if known else "expected none.")
    if kind == "too_short":
        return f"found {about['actual_length']} items; expected at least {about['min_length']}."
    if kind == "too_long":
        return f"found {about['actual_length']} items; expected at most {about['max_length']}."
    if not message.startswith("Input should be "):
        return str(message)
    given, quotes = mistake.get("input"), kind.endswith(QUOTED)
    if kind in BOUNDS and isinstance(given, str):  # a number in a query, which is no text of a segment
        with suppress(ValueError):
            given = json.loads(given)
    expected = message.removeprefix("Input should be ").partition(", unable to ")[0]
    expected = WORDS.get(expected, expected)
    return f"found {_shown(given, quotes=quotes)}; expected {expected}."


def _shown(value: Any, *, quotes: bool) -> str:
    """Return what a value of JSON is, for errors; a string, which may be a text, only if it is to be quoted."""
    if isinstance(value, str):
        return f"'{value:.{LONGEST_NAME}}'" if quotes else "a string"
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int | float):
        return f"{value!r:.{LONGEST_NAME}}"
    return "a list" if isinstance(value, list | tuple) else "an object"


def _fields(model: type[BaseModel] | None, path: Sequence[str | int]) -> list[str]:
    """Return the fields of a part of a body."""
    kind: Any = model
    for part in path:
        if isinstance(part, int):
            kind = next(iter(get_args(kind)), None)
        else:
            field = kind.model_fields.get(part) if _is_model(kind) else None
            kind = None if field is None else field.annotation
    return list(kind.model_fields) if _is_model(kind) else []


def _is_model(kind: Any) -> bool:
    return isinstance(kind, type) and issubclass(kind, BaseModel)
