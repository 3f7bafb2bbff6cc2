"""Draw a run of `make load`: `plot.py HISTORY.csv FOLDER`; in the environment of the plots."""

import csv
import sys
from pathlib import Path

from matplotlib import pyplot as plt

STYLES = {"light": "default", "dark": "dark_background"}


def main() -> None:
    """Requests a second and percentiles of the time to an answer, as people come."""
    with Path(sys.argv[1]).open() as file:
        rows = [row for row in csv.DictReader(file) if row["50%"] != "N/A"]
    seconds = [int(row["Timestamp"]) - int(rows[0]["Timestamp"]) for row in rows]
    for page, style in STYLES.items():
        with plt.style.context(style):
            figure, (above, below) = plt.subplots(2, 1, figsize=(8, 6), layout="constrained")
            above.plot(seconds, [float(row["User Count"]) for row in rows], label="people")
            above.plot(seconds, [float(row["Requests/s"]) for row in rows], label="requests/s")
            above.plot(seconds, [float(row["Failures/s"]) for row in rows], label="failures/s")
            for percentile in ("50%", "95%", "99%"):
                times = [float(row[percentile]) for row in rows]
                below.plot(seconds, times, label=f"{percentile} within, ms")
            below.set_xlabel("seconds")
            for axes in (above, below):
                axes.legend(fontsize="small", loc="upper left")
            for kind in ("png", "svg"):
                figure.savefig(Path(sys.argv[2]) / f"load-{page}.{kind}")
            plt.close(figure)


if __name__ == "__main__":
    main()
