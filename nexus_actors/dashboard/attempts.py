"""Remembers failed logins and sessions that were ended. Passive: outlives the server."""

from collections import OrderedDict, deque
from hashlib import sha256
from typing import Final

WINDOW: Final = 60.0
"""Seconds for which a failed login counts."""
MOST_OF_ONE: Final = 5
"""Wrong tokens of one peer within `WINDOW` that are recorded; further ones must wait."""
MOST_OF_ALL: Final = 50
MOST_PEERS: Final = 1_000
"""The most peers that are remembered."""
MOST_LOGGED_OUT: Final = 10_000
"""The most ended sessions that are remembered; beyond that, the first are forgotten."""


class Attempts:
    """Recent logins with an unknown token. Times are trio's."""

    def __init__(self) -> None:
        self.logged_out = LoggedOut()
        self._all: deque[float] = deque(maxlen=MOST_OF_ALL)
        self._peers: OrderedDict[str, deque[float]] = OrderedDict()

    def wait(self, peer: str, now: float) -> float:
        """Seconds until the peer may try again; 0 if it may now."""
        own = self._peers.get(peer)
        waits = [_wait(self._all, MOST_OF_ALL, now)]
        if own is not None:
            waits.append(_wait(own, MOST_OF_ONE, now))
        return max(waits)

    def begin(self, peer: str, now: float) -> None:
        """Count a wrong token."""
        self._all.append(now)
        own = self._peers.setdefault(peer, deque(maxlen=MOST_OF_ONE))
        own.append(now)
        self._peers.move_to_end(peer)
        if len(self._peers) > MOST_PEERS:
            self._peers.popitem(last=False)

    def succeeded(self, peer: str) -> None:
        """Forget the peer's wrong tokens, since it sent a right one."""
        self._peers.pop(peer, None)


class LoggedOut:
    """Sessions that were logged out in this process, until they would have expired anyway.
    Times are Unix times."""

    def __init__(self) -> None:
        self._until: OrderedDict[bytes, float] = OrderedDict()

    def add(self, cookie: str, until: float, now: float) -> None:
        """Reject the cookie from now on. `until`: when it expires."""
        self._until[_name(cookie)] = until
        for it in [it for it, end in self._until.items() if end <= now]:
            del self._until[it]
        if len(self._until) > MOST_LOGGED_OUT:
            self._until.popitem(last=False)

    def __contains__(self, cookie: str) -> bool:
        return bool(self._until) and _name(cookie) in self._until


def _name(cookie: str) -> bytes:
    return sha256(cookie.encode(errors="surrogateescape")).digest()


def _wait(times: deque[float], most: int, now: float) -> float:
    if len(times) < most:
        return 0.0
    return max(0.0, times[0] + WINDOW - now)
