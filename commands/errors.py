"""What a command says instead of doing its work."""


class CommandError(Exception):
    """A command cannot do its work; the message says in one sentence what to do."""
