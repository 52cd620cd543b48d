"""The tags and placeholders in a text, which its translation must have too."""

from __future__ import annotations

import re

TAG = re.compile(r"<(/?)([A-Za-z][\w:.-]*)(?:\s[^<>]*)?/?>")
"""A tag of XML or HTML; its attributes may be translated."""

PRINTF = re.compile(
    r"(?<!\d)(?<!\d )%(?:\d+\$)?(\(\w+\))?[-+0#]*\d*(?:\.\d+)?(?:hh?|ll?|z)?([sdifuxXeEgGcp@])(?![A-Za-z])"
)
"""A placeholder of printf, whose position may differ."""

PLACEHOLDER = re.compile(
    r"\$?\{\{?[\w.:#$-]*\}?\}"  # {0}, {name}, {{ name }}, ${name}
    r"|\{\{ [\w.:#$-]+ \}\}"
    r"|%\{\w+\}|%[A-Z][A-Z_]+%"  # %{name}, %PATH%
    r"|\{\w+>|<\w+\}"  # the pairs {1> and <1} of Phrase
)


def codes_in_text(text: str) -> list[str]:
    """Return the tags and placeholders that are written in a text, in the order of their names."""
    if not any(character in text for character in "<{%"):
        return []
    found = [f"<{match[1]}{match[2].lower()}>" for match in TAG.finditer(text)]
    found += [f"%{match[1] or ''}{match[2]}" for match in PRINTF.finditer(text)]
    found += [match[0].replace(" ", "") for match in PLACEHOLDER.finditer(text)]
    return sorted(found)
