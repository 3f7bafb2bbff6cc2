"""What a person can put right is said in one sentence, never as a traceback."""

__all__ = ["OfflineError", "StopRequested", "TemplateError"]


class OfflineError(Exception):
    """Its text is the sentence that ends the local cloud with exit status 1."""


class TemplateError(OfflineError):
    """The template says something that cannot be followed here; the text names it."""


class StopRequested(BaseException):
    """Ctrl-C, SIGTERM or SIGHUP by its number; no Exception, so that no handler swallows it."""
