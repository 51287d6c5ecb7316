"""The one error that means: what you gave me cannot be used, and here is why."""


class DataError(ValueError):
    """A file or value supplied by the user is not usable; the message says what to do."""
