"""Draw what `bin/python -m bench` has measured: `plots.py RESULTS.json FOLDER`.

PNG and SVG, for light and for dark pages. It runs in an environment of its own (.build/plots).
"""

import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import matplotlib as mpl
from matplotlib import pyplot as plt

STYLES = {"light": "default", "dark": "dark_background"}
PACKAGES = 7


def cold_start(axes: Any, results: Any) -> None:
    """Bars of import time by package, and the CPU of everything as a mark."""
    starts = results["cold start"]
    names = [start["name"] for start in starts]
    total: dict[str, float] = {}
    for start in starts:
        for package, seconds in start["packages"].items():
            total[package] = total.get(package, 0) + seconds
    shown = sorted(total, key=lambda package: -total[package])[:PACKAGES]
    left = [0.0] * len(starts)
    for package in shown:
        widths = [start["packages"].get(package, 0) * 1000 for start in starts]
        axes.barh(names, widths, left=left, label=package)
        left = [one + width for one, width in zip(left, widths, strict=True)]
    axes.plot([s["cpu"]["median"] for s in starts], names, "D", label="import and request, CPU")
    axes.set_xlabel("milliseconds")
    axes.set_title("Cold start")
    axes.invert_yaxis()
    axes.legend(fontsize="small", loc="lower right")


def warm(axes: Any, results: Any) -> None:
    """Three bars for each pattern."""
    requests = results["warm"]
    height = 0.25
    for number, design in enumerate(("ours", "reference", "bare")):
        spreads = [request[design] for request in requests]
        axes.barh(
            [place + number * height for place in range(len(requests))],
            [spread["median"] for spread in spreads],
            height,
            xerr=[
                [spread["median"] - spread["low"] for spread in spreads],
                [spread["high"] - spread["median"] for spread in spreads],
            ],
            label=design,
        )
    axes.set_yticks(
        [place + height for place in range(len(requests))],
        [request["pattern"] for request in requests],
    )
    axes.invert_yaxis()
    axes.set_xlabel("CPU milliseconds")
    axes.set_title("A warm request, pages of 20")
    axes.legend(loc="lower right")


def moves(axes: Any, results: Any) -> None:
    """Messages a second by K, in batches of one group."""
    for design in ("ours", "reference"):
        one = [each for each in results["E"] if each["groups"] == 1 and each["design"] == design]
        axes.plot(
            [e["k"] for e in one], [e["per_second"]["median"] for e in one], "o-", label=design
        )
    axes.set(xscale="log", yscale="log", xlabel="K", ylabel="messages/s", title="E, one shard")
    axes.legend()


def growth(axes: Any, results: Any) -> None:
    """Read units of a page by the size of its partition; lines that coincide show as both."""
    lines = {"ours": ("o-", 5), "reference": ("s--", 10)}
    for design, (line, size) in lines.items():
        for pattern in ("A", "B"):
            axes.plot(
                [e["rows"] for e in results["growth"] if e["pattern"] == pattern],
                [e[f"{design}_units"] for e in results["growth"] if e["pattern"] == pattern],
                line,
                markersize=size,
                fillstyle="none",
                label=f"{pattern}, {design}",
            )
    axes.set(xscale="log", xlabel="rows in the partition", ylabel="read units, computed")
    axes.set_title("A page of 20")
    axes.set_ylim(bottom=0)
    axes.legend(loc="lower right")


def simulation(axes: Any, results: Any) -> None:
    """Lag against write units, one line for each window."""
    rate = 10_000
    for window in sorted({one["window"] for one in results["simulation"]}):
        of_window = [
            one for one in results["simulation"] if one["window"] == window and one["rate"] == rate
        ]
        lags, units = zip(*((o["lag"], o["units_a_message"]) for o in of_window), strict=True)
        axes.plot(lags, units, "o-", label=f"window {window} s")
        for one in of_window:
            axes.annotate(str(one["factor"]), (one["lag"], one["units_a_message"]))
    axes.set(xlabel="median lag, s", ylabel="write units a message")
    axes.set_title(f"{rate:,} messages/s on paper, by parallel batches")
    axes.legend()


PLOTS: dict[str, Callable[[Any, Any], None]] = {
    "cold-start": cold_start,
    "warm": warm,
    "moves": moves,
    "growth": growth,
    "simulation": simulation,
}


def main() -> None:
    """Draw all of them."""
    results, folder = json.loads(Path(sys.argv[1]).read_text()), Path(sys.argv[2])
    folder.mkdir(parents=True, exist_ok=True)
    mpl.rcParams["svg.hashsalt"] = "bench"
    for page, style in STYLES.items():
        for name, draw in PLOTS.items():
            with plt.style.context(style):
                figure, axes = plt.subplots(figsize=(8, 4), layout="constrained")
                draw(axes, results)
                for kind in ("png", "svg"):
                    figure.savefig(folder / f"{name}-{page}.{kind}", metadata=_UNDATED[kind])
                plt.close(figure)


_UNDATED = {"png": {"Software": None}, "svg": {"Date": None}}


if __name__ == "__main__":
    main()
