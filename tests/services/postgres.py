"""A PostgreSQL cluster of one's own, in which a database is made for each test."""

from __future__ import annotations

import itertools
import os
import pwd
import shutil
import signal
from pathlib import Path
from typing import ClassVar, Final

from tests.services import Household, Process, Service
from tests.services.processes import installed

DEBIAN: Final = Path("/usr/lib/postgresql")
SUPERUSER: Final = "postgres"
"""Of the cluster, and also the user of the system who runs it for root, whom it refuses."""


def binaries() -> Path | None:
    """The folder of initdb and postgres: that on PATH, or else the newest."""
    found = shutil.which("initdb")
    if found is not None:
        # Where it is only linked to, its neighbours may not be.
        return Path(found).resolve().parent
    installed = [path.parent for path in DEBIAN.glob("*/bin/initdb")]
    return max(installed, key=lambda path: float(path.parent.name), default=None)


def user() -> str | None:
    """Who runs it, if not we ourselves."""
    return SUPERUSER if os.geteuid() == 0 else None


def known(name: str) -> bool:
    """Whether the system has such a user."""
    return any(entry.pw_name == name for entry in pwd.getpwall())


class Postgres(Service):
    """What was committed is there after a crash; when it is stopped, all is gone.

    `fsync`: whether what is committed is also on the disk, as it should be where time is taken.
    """

    KILLED_BY: ClassVar[int] = signal.SIGQUIT
    """What `pg_ctl stop --mode immediate` sends: it ends at once, and recovers when it starts."""

    def __init__(self, *, fsync: bool = True) -> None:
        super().__init__()
        self._fsync = fsync
        self._numbers = itertools.count(1)

    @staticmethod
    def missing() -> str | None:
        """Why it cannot run here, or nothing."""
        if binaries() is None:
            return f"there is no initdb on PATH or in {DEBIAN}/*/bin"
        if user() is not None and not known(SUPERUSER):
            return f"PostgreSQL refuses root, and there is no user {SUPERUSER} to run it"
        if not installed("psycopg"):
            return "psycopg is not installed, which makes databases in PostgreSQL"
        return None

    @property
    def url(self) -> str:
        """Where clients find the database that is always there."""
        return self._url_of("postgres")

    def new_database(self) -> str:
        """Make an empty database; returns its URL."""
        import psycopg  # noqa: PLC0415 - perhaps missing

        name = f"test_{next(self._numbers)}"
        with psycopg.connect(self.url, autocommit=True) as connection:
            connection.execute(f"CREATE DATABASE {name}".encode())
        return self._url_of(name)

    def restart(self) -> None:
        """Let it crash, and start it again."""
        self.kill()
        self.start()

    def _url_of(self, database: str) -> str:
        return f"postgresql://{SUPERUSER}@127.0.0.1:{self.port}/{database}"

    def _settled(self) -> Household:
        household = Household("postgres", user=user())
        try:
            household.run_to_end(
                f"{binaries()}/initdb", "--pgdata", str(household.folder / "data"),
                "--username", SUPERUSER, "--auth", "trust", "--encoding", "UTF8", "--no-locale",
                "--no-sync",
            )  # fmt: skip
        except BaseException:
            household.close()
            raise
        return household

    def _launched(self, household: Household) -> Process:
        settings = {
            "listen_addresses": "127.0.0.1",
            "port": self.port,
            "unix_socket_directories": household.folder,
            "fsync": "on" if self._fsync else "off",
        }
        options = [f"--{name}={value}" for name, value in settings.items()]
        return household.run(
            f"{binaries()}/postgres", "-D", str(household.folder / "data"), *options,
            ends_by=signal.SIGINT,
        )  # fmt: skip

    def _answers(self) -> bool:
        import psycopg  # noqa: PLC0415 - perhaps missing

        try:
            with psycopg.connect(self.url, connect_timeout=2) as connection:
                connection.execute("SELECT 1")
        except psycopg.OperationalError:
            return False
        return True
