"""How what the runtime hands out is copied (`copy`, `dataclasses.asdict`) and pickled."""

from __future__ import annotations

from typing import Any, NoReturn, Self


class Alive:
    """What stands for something that lives in this trio run, like a ref for a process.

    A copy, deep or not, is the thing itself. TypeError for whoever pickles it.
    """

    __slots__ = ()

    def __copy__(self) -> Self:
        return self

    def __deepcopy__(self, memo: object) -> Self:
        return self

    def __reduce_ex__(self, protocol: object) -> NoReturn:
        raise TypeError(
            f"cannot pickle {type(self).__name__}: it stands for something that lives in this"
            " program's trio run and means nothing elsewhere; send a name instead, and look that up"
        )


class Whole(Exception):
    """An exception that is copied and pickled with all that it bears, but its cause.

    Python would make the copy by an `__init__` that gets the message alone.
    """

    def __reduce__(self) -> tuple[Any, ...]:
        return _made, (type(self), self.args), self.__dict__


def _made(kind: type[Whole], args: tuple[object, ...]) -> Whole:
    return kind.__new__(kind, *args)
