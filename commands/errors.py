"""The error with which a command ends."""


class CommandError(Exception):
    """A command cannot do its work; the message says in a sentence why, and what to do."""
