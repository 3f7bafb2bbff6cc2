"""Measurements of speed and cost (docs/bench.md, docs/data.md and docs/scale.md)."""
