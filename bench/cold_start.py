"""Import and first request of a function from what `sam build` made, beside a bare handler.

    bin/sam build && bin/python -m bench.cold_start

The bare handler makes a boto3 client and answers with one Query. The two functions of the reference
are boto3, psycopg2 and bench.reference, without layers and without bytecode of their own.

Every run is a new interpreter with the runtime's packages and the function's zips, unpacked as in
Lambda. The functions take turns, so that a busy machine slows down all of them. As in the cloud,
PostgreSQL is reached with TLS, and by our functions with a token of IAM.
"""

import itertools
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bench.artifact import BUILT, RUNTIME, Deployed, deploy
from bench.conversations import TEXT
from bench.engine import functions_of
from bench.figures import Spread, table
from bench.reference import Reference, create_table
from bench.stage import PAGE, Stage, list_messages, stage
from local.settings import ROOT
from messaging import keys

RUNS = 9

_FRESH = Path(__file__).with_name("fresh.py")
_PACKAGES = ROOT / ".build" / "layers" / "directory"
_BARE = """\
import os
import boto3

client = boto3.client("dynamodb")


def lambda_handler(event, context):
    page = client.query(
        TableName=os.environ["TABLE_NAME"],
        KeyConditionExpression="pk = :pk",
        ExpressionAttributeValues={":pk": {"S": event["pk"]}},
        ScanIndexForward=False,
        Limit=21,
    )
    return {"statusCode": 200, "body": str(page["Count"])}
"""
_IMPORT_TIME = re.compile(r"import time: +(\d+) \| +\d+ \| +([\w.]+)")


@dataclass(frozen=True, kw_only=True)
class Contender:
    """A function to start; `name` is its name in the results."""

    name: str
    deployed: Deployed
    variables: Mapping[str, str]
    event: Callable[[], Mapping[str, Any]]

    def start(self) -> list[dict[str, float]]:
        """Start it once; return CPU and wall seconds of the import and of an event."""
        done = self._run([])
        steps: list[dict[str, float]] = done["steps"]
        return steps

    def import_times(self) -> dict[str, float]:
        """Return the wall seconds of importing each top-level package, of one start."""
        errors: list[str] = []
        self._run(["-X", "importtime"], errors=errors)
        microseconds: Counter[str] = Counter()
        for own, module in _IMPORT_TIME.findall("".join(errors)):
            top = module.partition(".")[0]
            known = top in sys.stdlib_module_names
            microseconds["standard library" if known else top] += int(own)
        return {name: number / 1e6 for name, number in microseconds.most_common()}

    def _run(self, options: list[str], errors: list[str] | None = None) -> dict[str, Any]:
        with tempfile.NamedTemporaryFile("w", suffix=".json") as file:
            json.dump([self.event()], file)
            file.flush()
            done = subprocess.run(
                [RUNTIME, "-P", *options, _FRESH, file.name],
                env=self.deployed.environment(**self.variables),
                cwd=self.deployed.task,
                capture_output=True,
                text=True,
                check=False,
            )
        if done.returncode:
            raise SystemExit(f"{self.name} failed:\n{done.stderr}")
        if errors is not None:
            errors.append(done.stderr)
        result: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
        for answer in result["answers"]:
            if answer.get("batchItemFailures") or answer.get("statusCode", 200) != 200:
                raise SystemExit(f"{self.name} answered {answer}:\n{done.stdout}{done.stderr}")
        return result


def contenders(builds: Mapping[str, Path], scene: Stage, folder: Path) -> Iterator[Contender]:
    """Lay out the bare handler, A and E of each build, and those of the reference."""
    # Bytecode has to lie beside the sources, where functions look for it. This project keeps its
    # own elsewhere.
    environment = {k: v for k, v in os.environ.items() if k != "PYTHONPYCACHEPREFIX"}
    packages = RUNTIME.parent.parent / "lib"
    subprocess.run([RUNTIME, "-m", "compileall", "-q", packages], env=environment, check=True)
    bare = Deployed(name="bare", task=folder / "bare", opt=folder / "bare", variables={})
    bare.task.mkdir()
    (bare.task / "app.py").write_text(_BARE)
    yield Contender(
        name="bare",
        deployed=bare,
        variables=scene.variables(),
        event=lambda: {"pk": keys.message_pk(scene.group)},
    )
    for build, built in builds.items():
        functions = deploy(functions_of(built / "template.yaml"), folder / build)
        for letter, name, event in (
            ("A", "ListMessages", scene.list_messages),
            ("E", "UpdateMessageGroups", scene.new_message),
        ):
            for roots in functions[name].opt.glob("python/directory/**/*.pem"):
                roots.write_bytes(roots.read_bytes() + scene.directory.certificate.read_bytes())
            yield Contender(
                name=f"{letter} {build}".strip(),
                deployed=functions[name],
                variables=scene.variables(),
                event=event,
            )
    yield from _of_reference(scene, folder / "reference")


def _of_reference(scene: Stage, folder: Path) -> Iterator[Contender]:
    reference = Reference(client=scene.running.client("dynamodb"), table="reference-cold")
    create_table(reference.client, reference.table)
    group = reference.begin(scene.people, TEXT)
    for _ in range(PAGE):
        reference.write(scene.people[0], group, TEXT)

    def new_message() -> dict[str, Any]:
        item = reference.write(scene.people[0], group, TEXT)
        return {"Records": [{"eventName": "INSERT", "dynamodb": {"NewImage": item}}]}

    # The address that the template gives has neither a user nor TLS.
    variables = {
        **scene.variables(),
        "TABLE_NAME": reference.table,
        "PGUSER": "postgres",
        "PGSSLMODE": "require",
    }
    for letter, module, event in (
        ("A", "reference_api", lambda: list_messages(scene.people[0], group)),
        ("E", "reference_stream", new_message),
    ):
        task, opt = folder / letter / "task", folder / letter / "opt"
        (task / "bench").mkdir(parents=True)
        sources = {
            module: "app.py",
            "reference": "bench/reference.py",
            "__init__": "bench/__init__.py",
        }
        for source, name in sources.items():
            shutil.copy(_FRESH.with_name(f"{source}.py"), task / name)
        if letter == "A":
            for package in _PACKAGES.glob("psycopg2*"):
                without = shutil.ignore_patterns("__pycache__")
                shutil.copytree(package, opt / "python" / package.name, ignore=without)
        yield Contender(
            name=f"{letter} reference",
            deployed=Deployed(name=module, task=task, opt=opt, variables={}),
            variables=variables,
            event=event,
        )


@dataclass(frozen=True, kw_only=True)
class ColdStart:
    """What was measured of a function: milliseconds of CPU and of wall time."""

    name: str
    imported: Spread
    first: Spread
    cpu: Spread
    wall: Spread
    against_bare: Spread
    packages: Mapping[str, float]


def measure(
    scene: Stage, folder: Path, *, runs: int, builds: Mapping[str, Path]
) -> list[ColdStart]:
    """Start each contender `runs` times, in turns."""
    competing = list(contenders(builds, scene, folder))
    results: dict[str, list[list[dict[str, float]]]] = {one.name: [] for one in competing}
    for run in range(runs + 1):
        for one in competing if run % 2 else reversed(competing):
            steps = one.start()
            if run:  # during the first run no file is in the system's cache
                results[one.name].append(steps)
    bare = [sum(step["cpu"] for step in steps) for steps in results["bare"]]
    return [
        ColdStart(
            name=one.name,
            imported=Spread.of([steps[0]["cpu"] * 1000 for steps in results[one.name]]),
            first=Spread.of([steps[1]["cpu"] * 1000 for steps in results[one.name]]),
            cpu=Spread.of([sum(s["cpu"] for s in steps) * 1000 for steps in results[one.name]]),
            wall=Spread.of([sum(s["wall"] for s in steps) * 1000 for steps in results[one.name]]),
            against_bare=Spread.of(
                [
                    sum(s["cpu"] for s in steps) / other
                    for steps, other in zip(results[one.name], bare, strict=True)
                ]
            ),
            packages=min(
                (one.import_times() for _ in range(3)),
                key=lambda times: sum(times.values()),
            ),
        )
        for one in competing
    ]


def report(results: list[ColdStart]) -> str:
    """Return the results as tables in Markdown."""
    rows = [
        [
            one.name,
            f"{one.imported:.0f}",
            f"{one.first:.0f}",
            f"{one.cpu:.0f}",
            f"{one.wall:.0f}",
            f"{one.against_bare:.2f}",
        ]
        for one in results
    ]
    head = ["", "import", "first request", "together, CPU ms", "together, wall ms", "CPU : bare"]
    packages = list(dict.fromkeys(itertools.chain(*(one.packages for one in results))))
    times = [
        [package, *(f"{one.packages.get(package, 0) * 1000:.1f}" for one in results)]
        for package in packages
        if any(one.packages.get(package, 0) >= 0.002 for one in results)
    ]
    names = [one.name for one in results]
    return f"{table(head, rows)}\n\n{table(['import, ms, best of three', *names], times)}"


if __name__ == "__main__":
    with stage() as measured, tempfile.TemporaryDirectory(prefix="bench") as place:
        print(report(measure(measured, Path(place), runs=RUNS, builds={"": BUILT})))
