"""A PostgreSQL server for tests, in a directory of its own, reached by a socket there."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from pathlib import Path
from typing import Any

PLACES = ("/usr/lib/postgresql", "/usr/local/pgsql", "/opt/homebrew/opt")


def _programs() -> Path:
    found = shutil.which("initdb")
    if found is not None:
        return Path(found).parent
    there = sorted(path for place in PLACES for path in Path(place).glob("*/bin/initdb"))
    if not there:
        raise RuntimeError("PostgreSQL is not installed: apt-get install --no-install-recommends postgresql")
    return there[-1].parent


class PostgreSQL:
    """A server that is up until it is stopped."""

    def __init__(self) -> None:
        self._programs = _programs()
        self.directory = Path(tempfile.mkdtemp(prefix="kiwi-pg-"))
        # It refuses to run as root.
        self._as_whom: dict[str, Any] = {"user": "postgres", "extra_groups": []} if os.geteuid() == 0 else {}
        if self._as_whom:
            shutil.chown(self.directory, "postgres")
        data = self.directory / "data"
        self._run("initdb", "--auth=trust", "--username=kiwi", "--no-sync", f"--pgdata={data}")
        options = f"-c listen_addresses='' -c unix_socket_directories={self.directory} -c fsync=off"
        log = self.directory / "log"
        self._run("pg_ctl", "start", "--wait", f"--pgdata={data}", f"--log={log}", f"--options={options}")

    @property
    def url(self) -> str:
        """For SQLAlchemy."""
        return f"postgresql+psycopg://kiwi@/postgres?host={self.directory}"

    def stop(self) -> None:
        """Stop it, and remove what it has written."""
        self._run("pg_ctl", "stop", "--mode=immediate", f"--pgdata={self.directory / 'data'}")
        shutil.rmtree(self.directory)

    def _run(self, program: str, *arguments: str) -> None:
        command = [str(self._programs / program), *arguments]
        with (self.directory / "output").open("a+") as output:
            done = subprocess.run(
                command, stdout=output, stderr=output, cwd=self.directory, timeout=60, check=False, **self._as_whom
            )
            output.seek(0)
            assert done.returncode == 0, output.read()
