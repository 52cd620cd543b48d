"""Scores as attributes of ITS 2.0 (https://www.w3.org/TR/its20/), which both versions of XLIFF use."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from kiwi.data.documents.markup import MarkupDocument
from kiwi.data.documents.parts import Edit, Part, Row
from kiwi.data.documents.rating import Rating, number

ITS = "http://www.w3.org/2005/11/its"

CATEGORY = "localization-quality-rating"
"""The data category of scores."""

SCORE = f"{ITS} locQualityRatingScore"


class RatingMarkup:
    """The attributes of a document that carry scores.

    Args:
        document: the document, whose root element is being read.
        attributes: the attributes of its root element.
    """

    def __init__(self, document: MarkupDocument, attributes: Mapping[str, str]) -> None:
        self._rating = document.rating
        prefixes = document.namespaces
        known = [prefix for prefix, uri in prefixes.items() if uri == ITS and prefix]
        self._prefix = known[0] if known else next(name for name in ("its", "its20", "itsq") if name not in prefixes)
        values = {} if known else {f"xmlns:{self._prefix}": ITS}
        if f"{ITS} version" not in attributes:
            values[f"{self._prefix}:version"] = "2.0"
        values[f"{self._prefix}:annotatorsRef"] = annotators(attributes.get(f"{ITS} annotatorsRef", ""), self._rating)
        tag = document.tag(document.at)
        document.add(Part(tag.end, (), lambda rows: tag.edits(values)))

    def values(self, row: Row) -> dict[str, str]:
        """Return the attributes for a segment, by name with prefix; empty if it has no score."""
        text = self._rating.text(row)
        if text is None:
            return {}
        return {f"{self._prefix}:{name}": value for name, value in self.attributes(text).items()}

    def attributes(self, text: str) -> dict[str, str]:
        """Return the attributes for a score, by name without prefix."""
        found = {"locQualityRatingScore": text}
        if self._rating.threshold is not None:
            found["locQualityRatingScoreThreshold"] = number(self._rating.threshold)
        return found | {"locQualityRatingProfileRef": self._rating.profile}


def annotators(former: str, rating: Rating) -> str:
    """Return the value of ``annotatorsRef`` with the system, in the place of one that has rated before.

    Args:
        former: the value so far.
        rating: the form of scores.
    """
    others = [each for each in former.split() if each.partition("|")[0] != CATEGORY]
    return " ".join([*others, f"{CATEGORY}|{rating.annotator}"])


def in_order(edits: Sequence[Edit]) -> list[Edit]:
    """Return changes in the order of their places."""
    return sorted(edits, key=lambda edit: edit.start)
