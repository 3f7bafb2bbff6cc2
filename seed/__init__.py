"""The data to begin with: examples (`data/`), or any number of messages for load tests."""
