"""`make load`: people sign up and use the local cloud, more and more of them; then all is verified.

The exit status is 1 if anything is wrong afterwards. Errors under load are only counted: a request
that gets 503 may be repeated, and what was not accepted may have been stored or not.
"""

import csv
import json
import os
import subprocess
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from bench.figures import table
from bench.load.verification import Journal, verify
from bench.local_cloud import started
from cruddur_client import Client
from local.settings import ROOT
from sam_offline import ministack
from seed.examples import PASSWORD
from tests import logs

PEOPLE = 200
RESULTS = ROOT / ".build" / "results"
_SHOWN = ("Name", "Request Count", "Failure Count", "Requests/s", "50%", "95%", "99%")


def main() -> int:
    """Measure, print a table, draw it, and verify everything."""
    RESULTS.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="load") as name:
        folder = Path(name)
        with started(folder) as cloud:
            people = sign_up(cloud.stack)
            print(f"{len(people)} people have signed up", flush=True)
            load(cloud.url, people, folder / "journal")
            with (RESULTS / "load_stats.csv").open() as file:
                rows = [[_short(row[name]) for name in _SHOWN] for row in csv.DictReader(file)]
            print(table(_SHOWN, rows))
            read = Journal.read(folder / "journal")
            verified = verify(lambda token: Client(cloud.url, token), people, read)
        for text in read.sent.values():
            logs.note_text(text)
        logged = sorted(set(logs.secrets_in((folder / "log").read_text(errors="replace"))))
    print(f"hints: {dict(read.hints)}")
    print(
        f"{verified.messages} accepted messages, {verified.rows} rows of lists and"
        f" {verified.marks} marks were looked at; {len(verified.faults)} are wrong"
    )
    print(f"{len(logged)} secrets are in the log")
    faults = [*verified.faults, *logged]
    for fault in faults[:20]:
        print(f"  {fault}")
    return 1 if faults else 0


def _short(figure: str) -> str:
    return f"{float(figure):.1f}" if "." in figure else figure


def sign_up(stack: dict[str, Any]) -> list[dict[str, str]]:
    """Sign people up and in; return their handles and tokens."""
    cognito = ministack.client("cognito-idp", stack["EndpointUrl"], stack["Region"])
    client = {"ClientId": stack["UserPoolClientId"]}

    def person(number: int) -> dict[str, str]:
        handle = f"person{number}"
        email = f"{handle}@example.com"
        attributes = {"email": email, "preferred_username": handle, "name": handle.title()}
        cognito.sign_up(
            **client,
            Username=email,
            Password=PASSWORD,
            UserAttributes=[{"Name": name, "Value": text} for name, text in attributes.items()],
        )
        cognito.admin_confirm_sign_up(UserPoolId=stack["UserPoolId"], Username=email)
        answer = cognito.initiate_auth(
            **client,
            AuthFlow="USER_PASSWORD_AUTH",
            AuthParameters={"USERNAME": email, "PASSWORD": PASSWORD},
        )
        return {"handle": handle, "token": answer["AuthenticationResult"]["AccessToken"]}

    with ThreadPoolExecutor(4) as executor:
        return list(executor.map(person, range(PEOPLE)))


def load(url: str, people: list[dict[str, str]], journal: Path) -> None:
    """Let locust act as these people, and draw what it measured."""
    names = journal.with_name("people.json")
    names.write_text(json.dumps(people))
    subprocess.run(
        [
            *(
                ROOT / ".build" / "load" / "bin" / "locust",
                "--headless",
                "--only-summary",
                "--loglevel",
                "WARNING",
            ),
            *("--locustfile", ROOT / "bench" / "load" / "locustfile.py", "--host", url),
            *("--csv", RESULTS / "load", "--exit-code-on-error", "0", "--stop-timeout", "40"),
        ],
        env={
            **os.environ,
            "PEOPLE": str(names),
            "JOURNAL": str(journal),
            "STEP_SECONDS": os.environ.get("STEP_SECONDS", "30"),
            "NO_PROXY": "*",
        },
        stdout=subprocess.DEVNULL,
        check=True,
    )
    subprocess.run(
        [
            ROOT / ".build" / "plots" / "bin" / "python",
            ROOT / "bench" / "load" / "plot.py",
            RESULTS / "load_stats_history.csv",
            RESULTS,
        ],
        check=True,
    )


if __name__ == "__main__":
    sys.exit(main())
