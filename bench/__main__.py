"""`make bench`: every measurement, as JSON and as tables in Markdown.

    bin/python -m bench [--also NAME=FOLDER]

--also adds another build to the cold starts, such as one of an earlier version.
"""

import argparse
import dataclasses
import json
import tempfile
from pathlib import Path
from typing import Any

from bench import cold_start, growth, hints, local_cloud, moves, simulation, summary, warm
from bench.artifact import BUILT
from bench.stage import stage
from local.settings import ROOT

WINDOWS = (0, 1)


def main() -> None:
    """Measure, print the tables, and store the results."""
    parser = argparse.ArgumentParser(prog="bench")
    parser.add_argument("--also", metavar="NAME=FOLDER", action="append", default=[])
    builds = {"": BUILT}
    for also in parser.parse_args().also:
        name, _, folder = also.partition("=")
        builds[name] = ROOT / folder
    with stage() as scene:
        with tempfile.TemporaryDirectory(prefix="bench") as folder:
            starts = cold_start.measure(scene, Path(folder), runs=cold_start.RUNS, builds=builds)
        print(f"\n## Cold start\n\n{cold_start.report(starts)}", flush=True)
        requests = warm.measure(scene)
        print(f"\n## Warm\n\n{warm.report(requests)}", flush=True)
        carried = moves.throughput(scene.running)
        lags = [moves.quiet_lag(scene.running, window) for window in WINDOWS]
        print(f"\n## E\n\n{moves.report(carried, lags)}", flush=True)
        grown = growth.measure(scene.running)
        print(f"\n## Growth\n\n{growth.report(grown)}", flush=True)
    told = hints.measure()
    print(f"\n## Hints\n\n{hints.report(told)}", flush=True)
    cloud = local_cloud.measure()
    print(f"\n## Local cloud\n\n{local_cloud.report(cloud)}", flush=True)
    simulated = simulation.simulate_all()
    print(f"\n## On paper\n\n{simulation.report(simulated)}")
    results = {
        "cold start": starts,
        "warm": requests,
        "E": carried,
        "lag": lags,
        "growth": grown,
        "hints": told,
        "local cloud": cloud,
        "simulation": simulated,
    }
    text = json.dumps(results, default=_plain, indent=2)
    summary.RESULTS.parent.mkdir(parents=True, exist_ok=True)
    summary.RESULTS.write_text(text)
    print(f"\n## Together\n\n{summary.report(json.loads(text))}")


def _plain(value: Any) -> Any:
    return dataclasses.asdict(value)


if __name__ == "__main__":
    main()
