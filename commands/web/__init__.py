"""The web client of a stack: its files, configuration, headers and deployment."""
