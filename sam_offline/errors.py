"""Errors that a person can do something about; they end a program with a sentence."""

__all__ = ["OfflineError", "StopRequested", "TemplateError"]


class OfflineError(Exception):
    """The local cloud prints its text and ends with exit status 1."""


class TemplateError(OfflineError):
    """The template has something that is not served here; the text names it."""


class StopRequested(BaseException):
    """A signal asks the program to stop; the argument is its number.

    It is no Exception, so that no `except Exception` swallows it.
    """
