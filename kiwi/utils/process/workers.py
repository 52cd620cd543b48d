"""Work in several processes."""

from __future__ import annotations

import multiprocessing
import multiprocessing.connection
import os
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Executor, Future
from typing import TypeVar

Item = TypeVar("Item")
Result = TypeVar("Result")


def in_order(
    pool: Executor, function: Callable[[Item], Result], items: Iterable[Item], most_ahead: int
) -> Iterator[Result]:
    """Yield the result of a function for each item, in the order of the items.

    Args:
        pool: the processes that call the function.
        function: the function.
        items: the items, which are read only as far as they are needed.
        most_ahead: the number of items that are submitted before their results are needed.
    """
    ahead: deque[Future[Result]] = deque()
    for item in items:
        ahead.append(pool.submit(function, item))
        if len(ahead) > most_ahead:
            yield ahead.popleft().result()
    while ahead:
        yield ahead.popleft().result()


def end_with_parent() -> None:
    """End this process when its parent ends, because a parent that is killed cannot stop its workers."""
    parent = multiprocessing.parent_process()
    assert parent is not None
    multiprocessing.connection.wait([parent.sentinel])
    os._exit(1)
