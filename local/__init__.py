"""The local cloud behind `make run`: template.yaml served on one machine, without Docker."""
