"""The exceptions: each is an ``nvm.Error`` and the built-in exception that fits."""


class Error(Exception):
    """Base of all errors that nvm itself defines.

    Raised as it is only for a broken invariant of nvm: always a bug, please report it.
    """


class PoolClosedError(Error, ValueError):
    """The pool is closed: nothing in it can be read or changed any more."""


class PoolFullError(Error, MemoryError):
    """The pool has reached its limit (``size=``). What was under way has changed nothing."""


class PoolCorruptError(Error, OSError):
    """The file, or an object in it, is damaged or was never a pool (``errno`` is ``EUCLEAN``)."""


class PoolLockedError(Error, OSError):
    """Another process, or this one, has the pool open."""


class PoolForkedError(Error, RuntimeError):
    """A forked child used a pool that its parent had opened. Open it anew in the child."""


class LayoutError(Error, ValueError):
    """The file is a pool of another program, or of another major version of the format."""


class ReadOnlyError(Error, OSError):
    """A change to a pool that was opened with flag ``"r"`` (``errno`` is ``EROFS``)."""


class TransactionError(Error, RuntimeError):
    """Misuse of a transaction, a change inside ``reading()``, or a wait that would never end."""


class TransactionTimeoutError(TransactionError, TimeoutError):
    """Another thread's transaction took longer than the ``timeout`` given."""


class StaleObjectError(Error, ReferenceError):
    """The object was born in a transaction that has been undone."""


class ClassNotFoundError(Error, ImportError):
    """The class of a persistent object has not been imported by this program."""


class UnreadableValueError(Error, ValueError):
    """A stored value cannot be made again: its class has changed, or it is pickled and not trusted.

    Everything else in the pool can be read.
    """


for _class in list(globals().values()):
    if isinstance(_class, type):
        _class.__module__ = "nvm"
del _class
