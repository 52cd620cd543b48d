"""The requests and answers of the API, from which its OpenAPI description is made."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, StrictInt
from pydantic.config import JsonDict
from pydantic_core import PydanticCustomError

from kiwi.data.languages import TAG
from kiwi.data.text.characters import find_invalid

ScaleName = Literal["own", "0-100"]


def _check_text(value: Any) -> Any:
    """Refuse a string that is no text, which no file could keep."""
    if isinstance(value, str) and (found := find_invalid(value)) is not None:
        raise PydanticCustomError("text", "{reason}", {"reason": f"found {found}; expected text without it."})
    return value


def _check_language(value: str) -> str:
    """Refuse what is no code of a language, as :func:`kiwi.lib.score.flagging.check_languages` does."""
    if TAG.fullmatch(value) is None:
        found = f"found '{value:.60}'; expected the code of a language, such as en or pt-BR."
        raise PydanticCustomError("language", "{reason}", {"reason": found})
    return value


Text = Annotated[str, AfterValidator(_check_text)]
"""A string that is text."""

Name = Annotated[str | StrictInt | None, AfterValidator(_check_text)]
"""The name of a segment, which an answer repeats as it is; ``true`` and ``1.0`` would become 1, and are refused."""

Language = Annotated[Text, AfterValidator(_check_language)]
"""The code of a language."""

EXAMPLE: JsonDict = {
    "segments": [
        {"id": "1", "source": "Close the window.", "target": "Schließen Sie das Fenster."},
        {"id": "2", "source": "Open 12 files.", "target": "Öffnen Sie 21 Dateien."},
    ],
    "scale": "0-100",
    "words": True,
}
"""A request that every model which reads source and target can answer."""


class Strict(BaseModel):
    """A part of a request, in which unknown fields are errors."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class SegmentIn(Strict):
    """A segment to score."""

    id: Annotated[Name, Field(description="Its name in the answer; by default its number, from 1.")] = None
    source: Annotated[Text, Field(description="The source text, words separated by spaces.")]
    target: Annotated[Text, Field(description="Its translation.")]
    alignments: Annotated[
        Text | None, Field(description="Pairs i-j of source and target words, from 0; by default, kiwi aligns.")
    ] = None
    source_pos: Annotated[Text | None, Field(description="Part-of-speech tags of the source words.")] = None
    target_pos: Annotated[Text | None, Field(description="Part-of-speech tags of the target words.")] = None
    group: Annotated[Text | None, Field(description="Its group, for a policy with a threshold for each group.")] = None


class ScoreRequest(Strict):
    """Segments to score, and what to answer."""

    model_config = ConfigDict(json_schema_extra={"examples": [EXAMPLE]})

    segments: Annotated[list[SegmentIn], Field(min_length=1)]
    model: Annotated[Text | None, Field(description="A model of GET /v1/models; by default, the first one.")] = None
    policy: Annotated[Text | None, Field(description="A policy of the model, which adds a decision.")] = None
    scale: Annotated[ScaleName, Field(description="The model's own scale, or 0 (worst) to 100 (best).")] = "own"
    words: Annotated[bool, Field(description="Whether to answer the probabilities of words and gaps.")] = False
    spans: Annotated[bool, Field(description="Whether to answer error spans.")] = False
    flags: Annotated[bool, Field(description="Whether to look for flags, such as other numbers.")] = True
    languages: Annotated[
        tuple[Language, Language] | None,
        Field(
            description="The languages of source and target, which some flags and intervals depend on; by default the "
            "model's."
        ),
    ] = None


class ScaleOut(BaseModel):
    """What the scores of an answer mean."""

    kind: Annotated[str, Field(description="hter, da, mqm, esa, other or unknown.")]
    higher_is_better: bool | None
    range: Annotated[tuple[float, float] | None, Field(description="The lowest and the highest score.")]


class UnitOut(BaseModel):
    """A word, or a gap between words, whose start is its end."""

    start: Annotated[int, Field(description="Position of its first character, counted in code points from 0.")]
    end: Annotated[int, Field(description="Position after its last character.")]
    probability: Annotated[float, Field(description="The probability that it is BAD.")]
    label: Literal["OK", "BAD"]


class WordsOut(BaseModel):
    """The words and gaps of a segment, as far as the model predicts them."""

    target: list[UnitOut] | None = None
    gaps: list[UnitOut] | None = None
    source: list[UnitOut] | None = None


class SpanOut(BaseModel):
    """An error in a translation; an omission if its start is its end."""

    start: Annotated[int, Field(description="Position of its first character, counted in code points from 0.")]
    end: Annotated[int, Field(description="Position after its last character.")]
    severity: Literal["minor", "major", "critical"]
    confidence: float
    text: str | None = None


class VerdictOut(BaseModel):
    """Whether a translation needs any edit."""

    label: Annotated[str, Field(description="OK or BAD; empty for a segment without words.")]
    probability: Annotated[float | None, Field(description="The probability that it does.")]


class SegmentOut(BaseModel):
    """The estimates for a segment; those that the model does not make are left out."""

    id: str | int
    score: Annotated[float | None, Field(description="Its score; null for a segment without words.")]
    deviation: Annotated[float | None, Field(description="The standard deviation of the score.")] = None
    interval: Annotated[
        tuple[float, float] | None, Field(description="The ends of the score's interval, if the model is calibrated.")
    ] = None
    mqm_score: Annotated[float | None, Field(description="The penalty of its error spans.")] = None
    combined_score: Annotated[float | None, Field(description="Score and penalty together, from 0 to 100.")] = None
    verdict: VerdictOut | None = None
    words: WordsOut | None = None
    spans: list[SpanOut] | None = None
    flags: list[str] | None = None
    decision: Literal["approve", "review"] | None = None
    decision_reason: str | None = None


class ScoreResponse(BaseModel):
    """The estimates for all segments, in their order."""

    model: str
    sha256: Annotated[str, Field(description="The hash of the model.")]
    scale: ScaleOut
    segments: list[SegmentOut]


class ModelOut(BaseModel):
    """A model that can be asked."""

    name: str
    sha256: str
    class_name: str
    precision: str
    fields: Annotated[list[str], Field(description="The fields of a segment that it reads.")]
    needs_alignments: bool
    outputs: list[str]
    language_pairs: list[str]
    scale: ScaleOut
    scales: list[ScaleName]
    policies: list[str]


class ModelsResponse(BaseModel):
    """The models of a server, the default first."""

    models: list[ModelOut]


class JobOut(BaseModel):
    """A file that is scored."""

    id: str
    name: str
    model: str
    state: Literal["waiting", "running", "done", "failed", "cancelled"]
    segments: Annotated[int, Field(description="The number of segments that are scored.")]
    total: Annotated[int | None, Field(description="The number of its segments; null until they are counted.")]
    bad_segments: Annotated[int, Field(description="The number of segments that cannot be scored.")]
    error: str | None
    warnings: list[str]


class FileSegmentOut(SegmentOut):
    """A segment of a file, and its estimates."""

    source: str
    target: str


class FileSegmentsResponse(BaseModel):
    """Segments of a file that is scored."""

    total: Annotated[int, Field(description="The number of segments that meet the conditions, on all pages.")]
    scale: ScaleOut
    segments: list[FileSegmentOut]


class FeedbackSegment(Strict):
    """What a person has made of a translation."""

    id: Annotated[Name, Field(description="Its name.")] = None
    source: Annotated[Text, Field(description="The source text.")]
    target: Annotated[Text, Field(description="The translation that was scored.")]
    post_edit: Annotated[Text, Field(description="The final translation; equal to target if nothing was changed.")]
    score: Annotated[float | None, Field(description="The score that it had.", allow_inf_nan=False)] = None
    decision: Annotated[Literal["approve", "review"] | None, Field(description="The decision of the policy.")] = None
    decision_reason: Annotated[Text | None, Field(description="The reason of the decision.")] = None
    group: Annotated[Text | None, Field(description="Its group, for policies with groups.")] = None


class FeedbackRequest(Strict):
    """Final translations of segments that were scored."""

    model: Annotated[Text | None, Field(description="The model that scored them.")] = None
    policy: Annotated[Text | None, Field(description="The policy that decided.")] = None
    segments: Annotated[list[FeedbackSegment], Field(min_length=1)]


class FeedbackResponse(BaseModel):
    """What was stored."""

    stored: int


class PlaceOut(BaseModel):
    """What is wrong with one part of a request."""

    detail: str
    pointer: Annotated[
        str, Field(description="The part, as a JSON pointer, such as #/segments/2/target; empty for the whole body.")
    ]
    id: Annotated[str | int | None, Field(description="The segment's own name, if it is about one.")] = None


class ProblemOut(BaseModel):
    """An error, as in RFC 9457."""

    type: str
    title: str
    status: int
    detail: str
    errors: list[PlaceOut] | None = None


PROBLEMS: dict[int | str, dict[str, Any]] = {
    status: {"description": title, "content": {"application/problem+json": {"schema": ProblemOut.model_json_schema()}}}
    for status, title in {
        401: "No valid API key",
        413: "Too large",
        415: "The body is compressed, or not said to be JSON",
        422: "The request cannot be used",
        429: "The key's rate is used up",
        503: "Busy or shutting down",
    }.items()
}
"""The errors of most calls, for OpenAPI."""
