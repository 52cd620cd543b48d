"""Scores as attributes of ITS 2.0 (https://www.w3.org/TR/its20/), which both versions of XLIFF use.

ITS has no place for the interval of a score, which has attributes in a namespace of its own beside them.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence

from kiwi.data.documents.inline import Node, nested, place_of, wrapped
from kiwi.data.documents.markup import XML, MarkupDocument
from kiwi.data.documents.parts import Edit, Part, Row
from kiwi.data.documents.rating import ANNOTATOR, INTERVALS, Rating, number
from kiwi.data.labels.error_spans import ErrorSpan

ITS = "http://www.w3.org/2005/11/its"

CATEGORY = "localization-quality-rating"
"""The data category of scores."""

ISSUES = "localization-quality-issue"
"""The data category of error spans."""

SCORE = f"{ITS} locQualityRatingScore"

ISSUE_PROFILE = "urn:x-kiwi:profile:error-spans"
"""The profile of error spans, which tells those of kiwi from others."""

REFERENCE, PROFILE = f"{ITS} locQualityIssuesRef", f"{ITS} locQualityIssueProfileRef"

OWN = "kiwi-errors-"
"""What the names of lists of errors begin with."""

SEVERITY = {"minor": 10, "major": 50, "critical": 100}
"""The severities from 0 to 100, in proportion to the penalties of MQM."""


class RatingMarkup:
    """The attributes of a document that carry scores.

    Args:
        document: the document, whose root element is being read.
        attributes: the attributes of its root element.
    """

    def __init__(self, document: MarkupDocument, attributes: Mapping[str, str]) -> None:
        self._rating = document.rating
        self._prefix, values = declared(document.namespaces, ITS, ("its", "its20", "itsq"))
        self._interval_prefix, declaration = declared(document.namespaces, INTERVALS, ("kiwi", "kiwi-qe", "x-kiwi"))
        if document.rating.has_intervals:
            values |= declaration
        if f"{ITS} version" not in attributes:
            values[f"{self._prefix}:version"] = "2.0"
        values[f"{self._prefix}:annotatorsRef"] = annotators(attributes.get(f"{ITS} annotatorsRef", ""), self._rating)
        tag = document.tag(document.at)
        document.add(Part(tag.end, (), lambda rows: tag.edits(values)))

    def values(self, row: Row) -> dict[str, str | None]:
        """Return the attributes for a segment, by name with prefix; empty if it has no score.

        An attribute is None if it is removed, should an earlier score have had it.
        """
        text = self._rating.text(row)
        if text is None:
            return {}
        threshold = self._rating.threshold
        found: dict[str, str | None] = {
            "locQualityRatingScore": text,
            "locQualityRatingScoreThreshold": None if threshold is None else number(threshold),
            "locQualityRatingProfileRef": self._rating.profile,
        }
        return {f"{self._prefix}:{name}": value for name, value in found.items()} | self.interval(row)

    def candidate(self, name: str, row: Row) -> dict[str, str | None]:
        """Return the attributes for a candidate, by name with prefix; empty if it has no score.

        Args:
            name: the attribute of the format for how good a candidate is.
            row: its predictions.
        """
        text = self._rating.text(row)
        return {} if text is None else {name: text, **self.interval(row)}

    def interval(self, row: Row) -> dict[str, str | None]:
        """Return the attributes for the interval of a score, by name with prefix."""
        low, high = self._rating.interval(row) or (None, None)
        return {f"{self._interval_prefix}:scoreLow": low, f"{self._interval_prefix}:scoreHigh": high}

    @property
    def prefix(self) -> str:
        """The prefix of the namespace of ITS."""
        return self._prefix


def declared(namespaces: Mapping[str, str], uri: str, names: Sequence[str]) -> tuple[str, dict[str, str]]:
    """Return the prefix of a namespace, and the attribute that declares it; none if the document does that already.

    Args:
        namespaces: the namespaces that the document declares, by prefix.
        uri: the namespace.
        names: the prefixes to choose from, if it is not declared.
    """
    known = [prefix for prefix, each in namespaces.items() if each == uri and prefix]
    if known:
        return known[0], {}
    prefix = next(name for name in names if name not in namespaces)
    return prefix, {f"xmlns:{prefix}": uri}


class IssueMarkup:
    """The elements that mark error spans in a document.

    Args:
        document: the document, whose root element has been read.
        markup: the attributes for scores.
        reference: what precedes the name of a list of errors in a reference to it.
    """

    def __init__(self, document: MarkupDocument, markup: RatingMarkup, reference: str) -> None:
        self._document = document
        self._prefix = markup.prefix
        self._reference = reference
        self._n_lists = 0

    def edits(self, root: Node, spans: Sequence[ErrorSpan], opening: Callable[[], str]) -> tuple[list[Edit], str]:
        """Return the changes that mark spans in a text, and the lists of several errors of one span, as markup.

        Args:
            root: the text as it is written.
            spans: its spans.
            opening: a function that returns the name and the attributes of the next element that marks an error.
        """
        insertions: list[tuple[int, int, int, str]] = []
        lists = ""
        for index, ((first, after), issues) in enumerate(nested(root, spans).items()):
            attributes = self._attributes(issues[0])
            if len(issues) > 1:
                self._n_lists += 1
                name = f"{OWN}{self._n_lists}"
                items = "".join(f"<{self._prefix}:locQualityIssue{_written(_issue(each))}/>" for each in issues)
                lists += f'<{self._prefix}:locQualityIssues xml:id="{name}">{items}</{self._prefix}:locQualityIssues>'
                attributes = {f"{self._prefix}:locQualityIssuesRef": f"{self._reference}{name}"}
            # At one place, elements end before others begin, and those inside end first.
            if first == after:
                tag = f"{opening()}{_written(attributes)}"
                insertions.append((place_of(root, first), 1, index, f"<{tag}/>"))
                continue
            for start, end in wrapped(root, first, after):
                tag = f"{opening()}{_written(attributes)}"
                insertions.append((start, 2, index, f"<{tag}>"))
                insertions.append((end, 0, -index, f"</{tag.partition(' ')[0]}>"))
        return [self._document.encoded(at, text) for at, _, _, text in sorted(insertions)], lists

    def _attributes(self, span: ErrorSpan) -> dict[str, str]:
        return {f"{self._prefix}:{name}": value for name, value in _issue(span).items()}


class FormerMarks:
    """The elements of a unit by which kiwi has marked error spans before, which the new ones replace.

    Args:
        document: the document, which is being read.
    """

    def __init__(self, document: MarkupDocument) -> None:
        self._document = document
        self._open: list[tuple[int, bool] | None] = []
        """For each open element, the offset of its tag and whether its content is removed too, if it is removed."""
        self._ranges: list[tuple[int, int]] = []

    def start(self, name: str, attributes: Mapping[str, str]) -> bool:
        """Take the start of an element of the unit.

        Args:
            name: its name; with its namespace, if that is not one of XLIFF.
            attributes: its attributes.

        Returns:
            Whether the element is removed.
        """
        is_list = name == f"{ITS} locQualityIssues" and attributes.get(f"{XML} id", "").startswith(OWN)
        is_removed = is_list or (name == "mrk" and _is_own(attributes))
        self._open.append((self._document.at, is_list) if is_removed else None)
        return is_removed

    def end(self) -> None:
        """Take the end of an element."""
        if (former := self._open.pop()) is None:
            return
        start, with_content = former
        tag, end = self._document.tag(start), self._document.at
        behind = tag.end if tag.is_empty else self._document.behind_end_tag(end)
        if with_content or tag.is_empty:
            self._ranges.append((start, behind))
        else:
            self._ranges += [(start, tag.end), (end, behind)]

    @property
    def tags(self) -> Collection[int]:
        """The offsets of the tags that are removed."""
        return {start for start, _ in self._ranges}

    def part(self, end: int) -> Part:
        """Return the part of a unit that is not scored, whose marks are those of another system from now on.

        Args:
            end: the offset behind the last byte of the unit.
        """
        return Part(end, (), lambda rows: in_order(self.removals()))

    def removals(self) -> list[Edit]:
        """Return the changes that remove the elements, but not the text in them.

        They belong to other scores, and perhaps to another text, whether or not new ones are written.
        """
        return [Edit(start, end, b"") for start, end in self._ranges]


def _is_own(attributes: Mapping[str, str]) -> bool:
    """Return whether an element marks an error span that kiwi has written."""
    reference = attributes.get(REFERENCE, "").removeprefix("#").removeprefix("its=")
    return attributes.get(PROFILE) == ISSUE_PROFILE or reference.startswith(OWN)


def _issue(span: ErrorSpan) -> dict[str, str]:
    """Return the attributes of an error, by name without prefix."""
    return {
        "locQualityIssueType": "omission" if span.start == span.end else "uncategorized",
        "locQualityIssueComment": f"{span.severity}, with a confidence of {span.confidence:.2f}",
        "locQualityIssueSeverity": number(SEVERITY[span.severity]),
        "locQualityIssueProfileRef": ISSUE_PROFILE,
    }


def _written(attributes: Mapping[str, str]) -> str:
    return "".join(f' {name}="{value}"' for name, value in attributes.items())


def annotators(former: str, rating: Rating) -> str:
    """Return the value of ``annotatorsRef`` with the system, in the place of one that has rated before.

    Args:
        former: the value so far.
        rating: the form of scores.
    """
    categories = (CATEGORY, ISSUES) if rating.has_spans else (CATEGORY,)
    own = f"{ISSUES}|{ANNOTATOR}"  # whose marks are removed
    others = [each for each in former.split() if each.partition("|")[0] not in categories and not each.startswith(own)]
    return " ".join([*others, *(f"{category}|{rating.annotator}" for category in categories)])


def rated_by(attributes: Mapping[str, str]) -> str:
    """Return the fingerprint of the system of kiwi that scored a document; empty if it says none.

    Args:
        attributes: the attributes of its root element.
    """
    for each in attributes.get(f"{ITS} annotatorsRef", "").split():
        category, _, system = each.partition("|")
        if category == CATEGORY and system.startswith(ANNOTATOR):
            return system.removeprefix(ANNOTATOR).removeprefix("sha256:")
    return ""


def in_order(edits: Sequence[Edit]) -> list[Edit]:
    """Return changes in the order of their places; what is inserted precedes what is removed at the same place."""
    return sorted(edits, key=lambda edit: (edit.start, edit.end))
