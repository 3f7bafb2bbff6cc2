"""Measurements: what a message costs, and what the stream processor carries."""
