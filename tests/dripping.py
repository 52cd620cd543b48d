"""A server that never stops answering, one byte at a time."""

from __future__ import annotations

import socket
import threading
from types import TracebackType
from typing import Self

HTTP_START = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 1000000\r\n\r\n"


class DrippingServer:
    """Accepts every connection, sends a beginning at once, and then a byte every few milliseconds.

    Args:
        start: the beginning of each answer.
        drip: the byte that follows.
    """

    def __init__(self, start: bytes = HTTP_START, drip: bytes = b" ") -> None:
        self.start, self.drip = start, drip
        self._end = threading.Event()
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        self._threads = [threading.Thread(target=self._accept, daemon=True)]

    def __enter__(self) -> Self:
        self._threads[0].start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._end.set()
        self._listener.shutdown(socket.SHUT_RDWR)
        for thread in list(self._threads):
            thread.join()
        self._listener.close()

    def _accept(self) -> None:
        while not self._end.is_set():
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            thread = threading.Thread(target=self._answer, args=(connection,), daemon=True)
            self._threads.append(thread)
            thread.start()

    def _answer(self, connection: socket.socket) -> None:
        with connection:
            try:
                connection.sendall(self.start)
                while not self._end.wait(0.02):
                    connection.sendall(self.drip)
            except OSError:
                return
