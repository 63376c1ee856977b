"""The errors of the storage ports."""


class StorageError(Exception):
    """The storage refused or failed. The message is one line for an operator, without secrets."""


class StorageUnavailable(StorageError):
    """The database cannot be reached, does not answer, or lacks something. Worth retrying."""


class StorageStrained(StorageUnavailable):
    """These rows took too much time or memory, or one of them is locked or damaged: fewer rows, or
    others, may pass. Or the database is slow in general."""


class DataDirUnusable(StorageError):
    """The data directory is read-only, or its user lacks access."""


class StorageRefused(StorageError):
    """The database cannot hold a value of the batch, so retrying the same values is pointless.

    A missing table or permission is not meant: an operator can repair it, so that is
    `StorageUnavailable`.
    """


class SpoolError(Exception):
    """An answer cannot be spooled to disk. The message is one line for an operator."""
