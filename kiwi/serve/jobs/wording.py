"""The messages of ``kiwi score`` in the words of ``POST /v1/files``, which has parameters instead of options."""

from __future__ import annotations

import re

from kiwi.lib.score.stream import HOW_TO_LIST

SWITCHES = {
    "--set-state": "state",
    "--no-header": "header=false",
    "--no-flags": "flags=false",
    "--scores-only": "words=false",
}
"""The parameters of options that have no value, or another name."""

OPTION = re.compile(
    r"--(?P<name>threshold|policy|columns|languages|scale|words)"
    r"(?: (?P<value>[A-Z]+(?:,[A-Z]+)*\b|0-100|\w+=\S+|\w+,\w+))?"
)
"""An option that has a parameter of the same name, and its value if one is shown."""

COMMAND = re.compile(r"(kiwi [a-z]+\b[^.;,]*)")
"""A command for whoever runs the server, whose options stay as they are."""


def for_clients(text: str) -> str:
    """Return a message with parameters in the place of the options of the command line."""
    text = text.replace(f" {HOW_TO_LIST}", "")
    return "".join(part if COMMAND.fullmatch(part) else _with_parameters(part) for part in COMMAND.split(text))


def _with_parameters(text: str) -> str:
    for option, parameter in SWITCHES.items():
        text = text.replace(option, parameter)
    return OPTION.sub(lambda found: found["name"] + (f"={found['value']}" if found["value"] else ""), text)
