"""A client of ``kiwi serve``.

.. code-block:: python

    from kiwi.client import Client, Segment

    with Client("http://127.0.0.1:8000", key="...") as client:
        answer = client.score([Segment("Close the window.", "Schließen Sie das Fenster.")], scale="0-100")
        print(answer.segments[0].score)
"""

from __future__ import annotations

from kiwi.client.answers import Answer, ScoredSegment, Segment, Span, Unit
from kiwi.client.asked import FileOptions
from kiwi.client.errors import NoAnswerError, ServerError
from kiwi.client.http import Client

__all__ = [
    "Answer",
    "Client",
    "FileOptions",
    "NoAnswerError",
    "ScoredSegment",
    "Segment",
    "ServerError",
    "Span",
    "Unit",
]
