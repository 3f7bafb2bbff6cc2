"""What a person can put right is said in one sentence, never as a traceback."""

__all__ = ["OfflineError", "StopRequested", "TemplateError"]


class OfflineError(Exception):
    """Its text is the sentence that ends the local cloud with exit status 1."""


class TemplateError(OfflineError):
    """The template says something that cannot be followed here; the text names it."""


class StopRequested(BaseException):
    """Ctrl-C, SIGTERM or SIGHUP; not an Exception, so that no handler of errors swallows it."""

    def __init__(self, number: int) -> None:
        super().__init__(number)
        # What a shell says of a program that a signal ended.
        self.status = 128 + number
