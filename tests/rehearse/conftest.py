"""The rehearsal of a deployment: `sam build` and `sam deploy`, to an emulator of AWS.

Only with `make rehearse`, which sets up what it needs and sets REHEARSE. The tests are one story,
told in the order of the files: deployed in vain, deployed, used, updated, taken down, set up again.
"""

import os
import shutil
from collections.abc import Iterator

import pytest

from local.postgres import Postgres
from sam_offline.processes import free_port
from sam_offline.state import StateFolder
from tests import logs
from tests.rehearse.cloud import Aws, Project
from tests.rehearse.stage import Stage

collect_ignore_glob = [] if os.environ.get("REHEARSE") else ["test_*.py"]


@pytest.fixture(scope="session")
def stage(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    """A stage to deploy, with its PostgreSQL; everything of it is gone at the end."""
    folder = tmp_path_factory.mktemp("rehearsal")
    state = StateFolder(folder / "state")
    state.acquire()
    postgres = Postgres(state=state, port=free_port(0, "POSTGRES_PORT"))
    aws = Aws(state)
    try:
        postgres.wait()
        aws.wait()
        stage = Stage(aws=aws, project=Project(folder / "project", aws), database_url=postgres.url)
        stage.keep_secret()
        yield stage
    finally:
        aws.stop()
        postgres.stop()
        state.release()
        shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(scope="module", autouse=True)
def log(stage: Stage) -> Iterator[None]:
    """Hold what was logged against what never may be, before the next chapter takes it away."""
    yield
    logs.check(stage.logged())
