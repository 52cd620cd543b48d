"""What the server counts, for Prometheus; none of it is a text."""

from __future__ import annotations

import os
from functools import cache

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from prometheus_client.multiprocess import MultiProcessCollector, mark_process_dead

from kiwi.serve.batching.worker import Observer

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"

SECONDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60)
"""The bounds of the histograms of times."""

SEGMENTS = (1, 2, 4, 8, 16, 32, 64, 128, 256)
"""The bounds of the histogram of batches."""


class Metrics:
    """The metrics of a server."""

    def __init__(self) -> None:
        own = CollectorRegistry()
        self._registry = own
        labels = ("method", "route", "status")
        requests = Counter("kiwi_requests", "Requests that were answered", labels, registry=own)
        seconds = Histogram(
            "kiwi_request_seconds", "Seconds from request to answer", ("route",), registry=own, buckets=SECONDS
        )
        # Finding those of some labels takes longer than counting.
        self._requests, self._seconds = cache(requests.labels), cache(seconds.labels)
        self._segments = Counter("kiwi_segments", "Segments that were computed", ("model",), registry=own)
        self._tokens = Counter("kiwi_tokens", "Words or pieces that were computed", ("model",), registry=own)
        self._busy = Counter("kiwi_busy_seconds", "Seconds of computing", ("model",), registry=own)
        self._batches = Histogram(
            "kiwi_batch_segments", "Segments of a batch", ("model",), registry=own, buckets=SEGMENTS
        )
        self._hits = Counter("kiwi_cache_hits", "Segments found in the cache", ("model",), registry=own)
        self._misses = Counter("kiwi_cache_misses", "Segments not found in the cache", ("model",), registry=own)
        self._waiting = Gauge(
            "kiwi_waiting_segments",
            "Segments that wait",
            ("model",),
            registry=own,
            multiprocess_mode="livesum",
        )  # added to by all versions of a model in all processes

    def on_request(self, method: str, route: str, status: int, seconds: float) -> None:
        """Count a request that was answered.

        Args:
            method: its method.
            route: its route, of which there are few.
            status: the status of the answer.
            seconds: the time from request to answer.
        """
        self._requests(method, route, status).inc()
        self._seconds(route).observe(seconds)

    @staticmethod
    def forget_process(pid: int) -> None:
        """Drop what waited in a process that has ended; what it has done still counts."""
        mark_process_dead(pid)  # type: ignore[no-untyped-call]

    def observer(self, model: str) -> Observer:
        """Return what is told what the worker of a model does."""
        segments, tokens, busy = (each.labels(model) for each in (self._segments, self._tokens, self._busy))
        batches = self._batches.labels(model)
        hits, misses = self._hits.labels(model), self._misses.labels(model)

        def on_batch(n_segments: int, n_tokens: int, seconds: float) -> None:
            segments.inc(n_segments)
            tokens.inc(n_tokens)
            busy.inc(seconds)
            batches.observe(n_segments)

        def on_lookup(n_hits: int, n_misses: int) -> None:
            hits.inc(n_hits)
            misses.inc(n_misses)

        return Observer(on_batch, on_lookup, self._waiting.labels(model).inc)

    def render(self) -> bytes:
        """Return all metrics in the text format of Prometheus."""
        registry = self._registry
        if "PROMETHEUS_MULTIPROC_DIR" in os.environ:  # several processes count together
            registry = CollectorRegistry()
            MultiProcessCollector(registry)  # type: ignore[no-untyped-call]
        return generate_latest(registry)
