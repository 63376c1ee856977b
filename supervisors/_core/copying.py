"""How the runtime's objects are copied (`copy`, `dataclasses.asdict`) and pickled."""

from __future__ import annotations

from typing import Any, NoReturn, Self


class Alive:
    """An object that stands for something alive in this trio run, such as a ref for a process.

    A copy, deep or shallow, is the object itself. Pickling raises TypeError.
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
    """An exception that is copied and pickled with all its attributes, except its cause.

    By default, Python would call `__init__` with only the message.
    """

    def __reduce__(self) -> tuple[Any, ...]:
        return _made, (type(self), self.args), self.__dict__


def _made(kind: type[Whole], args: tuple[object, ...]) -> Whole:
    return kind.__new__(kind, *args)
