"""The error for input that cannot be used. Its message says why."""


class DataError(ValueError):
    """A file or value given by the user cannot be used; the message says what to do."""
