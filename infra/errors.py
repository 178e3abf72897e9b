"""What the command line says in one line instead of a trace."""


class LocalError(Exception):
    """Something outside the code prevents the work; the message says what, and what to do about it."""


class UsageError(LocalError):
    """The command was called in a way that cannot work."""
