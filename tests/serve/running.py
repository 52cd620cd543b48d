"""A server in a thread of the tests."""

from __future__ import annotations

import socket
import threading
import time
from pathlib import Path

import uvicorn
from starlette.types import ASGIApp

from kiwi.serve.app import make_app, make_service
from kiwi.serve.options import ServeOptions
from kiwi.serve.server import make_config

ADMIN, OTHER, SLOW = "kiwi-admin", "kiwi-other", "kiwi-slow"


class Running:
    """An application in a real server in a thread."""

    def __init__(self, options: ServeOptions, app: ASGIApp) -> None:
        self._server = uvicorn.Server(make_config(options, app))
        self._socket = socket.create_server(("127.0.0.1", 0))
        self.port = self._socket.getsockname()[1]
        self.url = f"http://127.0.0.1:{self.port}"
        self._thread = threading.Thread(target=self._server.run, kwargs={"sockets": [self._socket]})
        self._thread.start()
        while not self._server.started:
            time.sleep(0.01)

    def close(self) -> None:
        self._server.should_exit = True
        self._thread.join()
        self._socket.close()


class Server(Running):
    """A real server of models in a thread."""

    def __init__(self, options: ServeOptions, files: Path) -> None:
        self.service = make_service(options, files)
        super().__init__(options, make_app(self.service))
