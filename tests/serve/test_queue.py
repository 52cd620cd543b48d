from __future__ import annotations

import subprocess
import sys
import threading
import time
from collections.abc import Sequence
from concurrent.futures import Future

import pytest

from kiwi.serve.batching.cache import ResultCache, Row, Texts
from kiwi.serve.batching.queue import QueueClosedError, QueueFullError, SegmentQueue, cheapest_size
from kiwi.serve.batching.work import Entry, Work
from kiwi.serve.batching.worker import Observer, QueueOptions, Worker


def entry(name: str, length: int) -> Entry:
    return Entry(name.encode(), (name,), length)


def submit(queue: SegmentQueue, **lengths: int) -> Future[list[Row]]:
    entries = [entry(name, length) for name, length in lengths.items()]
    return queue.submit(entries, [None] * len(entries)).future


def names(works: list[Work] | None) -> list[str | None]:
    assert works is not None
    return [work.entry.texts[0] for work in works]


def test_batches_are_longest_first_and_fit_the_tokens() -> None:
    changes: list[int] = []
    queue = SegmentQueue(100, changes.append)
    submit(queue, a=3, b=10, c=4, d=9, e=1)
    assert names(queue.take(30)) == ["b", "d", "c"]
    assert names(queue.take(30)) == ["a", "e"]
    assert (queue.n_waiting, queue.tokens_waiting) == (0, 0)
    assert changes == [5, -3, -2]
    submit(queue, long=1000, short=1)
    assert names(queue.take(30)) == ["long"]


def test_a_small_request_shares_the_next_batch_with_a_large_one() -> None:
    queue = SegmentQueue(1000)
    submit(queue, **{f"job{i}": 10 for i in range(100)})
    assert len(queue.take(50) or ()) == 5
    submit(queue, one=2)
    submit(queue, two=2)
    batch = names(queue.take(50))
    assert {"one", "two"} <= {*batch}
    assert len(batch) == 5


def test_a_longer_segment_waits_for_one_batch_at_most() -> None:
    queue = SegmentQueue(1000)
    submit(queue, **{f"job{i}": 10 for i in range(100)})
    submit(queue, long=40)
    queue.take(50)
    assert names(queue.take(50)) == ["long"]


def test_every_request_gives_one_segment_before_any_gives_a_second_one() -> None:
    queue = SegmentQueue(1000)
    submit(queue, **{f"job{i}": 9 for i in range(50)})
    for i in range(8):
        submit(queue, **{f"person{i}": 1 + i})
    assert sum(str(name).startswith("person") for name in names(queue.take(90))) == 8


def test_of_too_many_candidates_the_most_similar_share_a_batch() -> None:
    queue = SegmentQueue(1000)
    for name, length in {"head": 10, "a": 2, "b": 9, "c": 1, "d": 8, "longer": 11}.items():
        submit(queue, **{name: length})
    assert names(queue.take(30)) == ["head", "b", "d"]


def test_segments_whose_padding_costs_more_than_a_batch_are_left_for_another_one() -> None:
    queue = SegmentQueue(1000)
    lengths = (40, 39, 38, 30, 20, 19)
    for index, length in enumerate(lengths):
        submit(queue, **{f"n{index}": length})
    batches = [[work.entry.length for work in queue.take(1000, batch_cost=8) or []] for _ in range(3)]
    assert batches == [[40, 39, 38], [30], [20, 19]]
    queue.close()
    assert queue.take(1000, batch_cost=8) is None
    assert cheapest_size([10] * 30, 8) == 30
    assert cheapest_size([40, 1], 8) == 1
    assert cheapest_size([40, 1], 4000) == 2  # as on a GPU, where a batch costs much and its tokens little


def test_equal_segments_are_computed_once() -> None:
    queue = SegmentQueue(10)
    twice = queue.submit([entry("a", 1), entry("b", 1), entry("a", 1)], [None] * 3).future
    works = queue.take(10)
    assert works is not None
    later = submit(queue, a=1)  # while it is being computed
    assert queue.n_waiting == 0
    queue.finish(works, [{"name": work.entry.texts[0]} for work in works], 1.0)
    assert [row["name"] for row in twice.result(0)] == ["a", "b", "a"]
    assert later.result(0) == [{"name": "a"}]


def test_known_results_do_not_wait() -> None:
    queue = SegmentQueue(10)
    assert queue.submit([entry("a", 1)], [{"x": 1}]).future.result(0) == [{"x": 1}]
    partly = queue.submit([entry("a", 1), entry("b", 1)], [{"x": 1}, None]).future
    works = queue.take(10) or []
    assert names(works) == ["b"]
    queue.finish(works, [{"x": 2}], 1.0)
    assert partly.result(0) == [{"x": 1}, {"x": 2}]


def test_a_cancelled_request_leaves_the_queue() -> None:
    queue = SegmentQueue(10)
    gone, stays = submit(queue, a=5, b=4), submit(queue, b=4, c=3)
    gone.cancel()
    assert (queue.n_waiting, queue.tokens_waiting) == (2, 7)
    works = queue.take(100) or []
    assert sorted(map(str, names(works))) == ["b", "c"]
    queue.finish(works, [{}, {}], 1.0)
    assert stays.result(0) == [{}, {}]


def test_a_full_queue_says_when_to_come_back() -> None:
    queue = SegmentQueue(3)
    submit(queue, a=100, b=100, c=100, d=100)  # an empty queue takes a request of any size
    with pytest.raises(QueueFullError, match=r"about 1 s"):
        submit(queue, e=1)
    queue.finish(queue.take(1) or [], [{}], 10.0)  # ten tokens a second
    with pytest.raises(QueueFullError) as raised:
        submit(queue, e=1)
    assert raised.value.retry_after == 30
    assert queue.submit([entry("f", 1)], [None], is_bounded=False).n_missing == 1


def test_a_closed_queue_gives_what_it_has() -> None:
    queue = SegmentQueue(3)
    submit(queue, a=1)
    queue.close()
    with pytest.raises(QueueClosedError):
        submit(queue, b=1)
    assert names(queue.take(10, 100.0)) == ["a"]
    assert queue.take(10) is None


def test_a_batch_waits_for_more_segments() -> None:
    queue = SegmentQueue(10)
    submit(queue, a=1)
    timer = threading.Timer(0.05, lambda: submit(queue, b=9))
    timer.start()
    assert len(queue.take(10, 30.0) or ()) == 1  # the longer one has its turn next
    assert queue.n_waiting == 1
    started = time.monotonic()
    assert queue.take(10, 0.05) is not None
    assert time.monotonic() - started < 5


def test_the_cache_is_bounded_and_keeps_no_text() -> None:
    cache = ResultCache(2)
    keys = [cache.key((name, None)) for name in "abc"]
    cache.add(keys[:2], [{"x": 0}, {"x": 1}])
    cache.find(keys[:1])
    cache.add(keys[2:], [{"x": 2}])
    assert cache.find(keys) == [{"x": 0}, None, {"x": 2}]
    assert len({*keys, cache.key(("a", "")), cache.key(("", "a")), cache.key(("a",))}) == 6
    assert ResultCache(2).key(("a", None)) != keys[0]


def test_the_cache_is_bounded_in_memory() -> None:
    cache = ResultCache(1000, 100_000)
    lengths = (2000, 4000, 10)
    rows: list[Row] = [{"tags": ["OK"] * n, "numbers": [0.5] * n, "spans": [{"text": "x" * n}]} for n in lengths]
    cache.add([b"a", b"b"], rows[:2])
    assert cache.find([b"a", b"b"]) == [rows[0], None]  # the second one alone would be too large
    cache.add([b"a", b"c", b"c"], [rows[0], rows[2], rows[2]])
    assert cache.find([b"a", b"c"]) == [rows[0], rows[2]]
    assert 60_000 < cache.n_bytes < 100_000
    cache.add([b"d"], rows[:1])
    assert cache.find([b"a", b"c", b"d"]) == [None, rows[2], rows[0]]


class Counting:
    """A model whose result is the length of the text; it fails at ``bad``."""

    batch_tokens = 8

    def __init__(self) -> None:
        self.batches: list[int] = []
        self.may_go = threading.Event()
        self.may_go.set()

    def lengths(self, segments: Sequence[Texts]) -> list[int]:
        return [len(str(texts[0])) for texts in segments]

    def predict(self, segments: Sequence[Texts]) -> list[Row]:
        assert self.may_go.wait(10)
        if ("bad",) in segments:
            raise ValueError("a text")
        self.batches.append(len(segments))
        return [{"length": len(str(texts[0]))} for texts in segments]


def score(worker: Worker, *texts: str) -> Future[list[Row]]:
    return worker.submit(worker.measure([(text,) for text in texts])).future


def test_a_worker_answers_many_threads_and_counts_what_it_does() -> None:
    model, found = Counting(), {"segments": 0, "hits": 0}

    def on_batch(n_segments: int, n_tokens: int, seconds: float) -> None:
        found["segments"] += n_segments

    def on_lookup(n_hits: int, n_misses: int) -> None:
        found["hits"] += n_hits

    worker = Worker(model, observer=Observer(on_batch, on_lookup))
    futures: dict[int, Future[list[Row]]] = {}
    threads = [
        threading.Thread(target=lambda i=i: futures.update({i: score(worker, "x" * (i % 7), f"{i:02}")}))  # type: ignore[misc]
        for i in range(40)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for i, future in futures.items():
        assert future.result(10) == [{"length": i % 7}, {"length": 2}]
    assert found["segments"] == sum(model.batches) == 47  # seven different first ones
    assert score(worker, "xx", "xxx").result(10) == [{"length": 2}, {"length": 3}]
    assert found["hits"] >= 2
    assert worker.close(10)


def test_a_bad_segment_fails_its_own_request_only(caplog: pytest.LogCaptureFixture) -> None:
    model = Counting()
    worker = Worker(model)
    model.may_go.clear()
    first = score(worker, "a")
    good, bad = score(worker, "bbb"), score(worker, "bad")
    model.may_go.set()
    assert first.result(10) == [{"length": 1}]
    assert good.result(10) == [{"length": 3}]
    with pytest.raises(ValueError, match="a text"):
        bad.result(10)
    assert "a text" not in caplog.text
    assert "ValueError" in caplog.text
    assert worker.close(10)


def test_closing_a_worker_finishes_what_it_took() -> None:
    model = Counting()
    worker = Worker(model, QueueOptions(cache_segments=0))
    model.may_go.clear()
    futures = [score(worker, f"{i:03}") for i in range(20)]
    assert not worker.close(0.05)
    with pytest.raises(QueueClosedError):
        score(worker, "late")
    model.may_go.set()
    assert worker.close(10)
    assert all(future.result(0) == [{"length": 3}] for future in futures)


ENDING = """
import time
from kiwi.serve.batching.worker import Worker

class Slow:
    batch_tokens = 1
    def lengths(self, segments):
        return [1] * len(segments)
    def predict(self, segments):
        print("begun", flush=True)
        time.sleep(0.5)
        print("finished", flush=True)
        return [{}] * len(segments)

worker = Worker(Slow())
worker.submit(worker.measure([("a",), ("b",)]))
time.sleep(0.2)
assert not worker.close(0)
"""


def test_the_batch_that_is_computed_is_finished_before_python_ends() -> None:
    """A thread that is still in a library when Python ends aborts the process."""
    done = subprocess.run([sys.executable, "-c", ENDING], capture_output=True, text=True, timeout=60, check=False)
    assert (done.returncode, done.stdout.split()) == (0, ["begun", "finished"]), done.stderr
