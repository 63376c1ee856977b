"""The errors that the storage raises."""


class StorageError(Exception):
    """The storage refused or failed; the message is one line for an operator, without secrets."""


class StorageUnavailable(StorageError):
    """The database cannot be reached, does not answer, or is not as it must be: worth repeating."""


class StorageStrained(StorageUnavailable):
    """These rows took more time or memory than there is, or one is locked or damaged: fewer, or
    others, may pass. Or the database is slow for all."""


class DataDirUnusable(StorageError):
    """The data directory is read-only, or closed to who must use it."""


class StorageRefused(StorageError):
    """The database cannot hold a value of the batch: the very same values are not worth repeating.

    Only that. A missing table or permission is an operator's to mend, and until then `Unavailable`.
    """


class SpoolError(Exception):
    """An answer cannot be kept on this machine; the message is one line for an operator."""
