"""The actor that applies one provider's limits of requests and tokens per minute, together with all
other processes on the same database."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace

import trio

from nexus_actors.admission.buckets import Account
from nexus_actors.storage.accounts import AccountStore, Quota
from nexus_actors.storage.errors import StorageError
from nexus_actors.storage.outages import Outages
from nexus_actors.work.wake import Wake
from supervisors import Call, Caller, CallResult, GenServer, NoReply, Status

SHORTEST_PAUSE = 0.02
"""Seconds between two draws from an empty bucket, from which others may draw, too."""
LONGEST_PAUSE = 1.0


@dataclass(frozen=True, slots=True)
class Admit(Call[bool]):
    """Ask to make a call with this key that needs so many tokens. The reply is True when it may be
    made, or False if the keys or limits have changed meanwhile: ask again."""

    key: int
    tokens: float


@dataclass(frozen=True, slots=True)
class Settle:
    """A call with this key needed fewer tokens than it was given, by this much (negative: more)."""

    key: int
    tokens: float


@dataclass(frozen=True, slots=True)
class GaveUp:
    """A caller that waited for this key has given up."""

    key: int


@dataclass(frozen=True, slots=True)
class Renew:
    """Replace the keys and limits."""

    accounts: Mapping[int, Account[Caller]]


class RateLimiter(GenServer):
    """Replies to each `Admit` when its turn has come. Small calls may overtake large ones within
    bounds (see `Account`). If a caller gives up, its share goes to the next one.

    The limits are the account's, whichever process makes the calls. While the database is away, no
    call is admitted.
    """

    def __init__(
        self, *, store: AccountStore, accounts: Mapping[int, Account[Caller]], outages: Outages
    ) -> None:
        self._store = store
        self._accounts = accounts
        self._wake = Wake()
        self._sooner = Wake()
        self._pause_until = -math.inf
        self._patience = outages.patience("RateLimiter")

    def format_status(self, status: Status) -> Status:
        """Counts and names only: nothing that a request contains."""
        return replace(
            status.shapes(),
            state={
                "accounts": len(self._accounts),
                "waiting": sum(len(it.waiting) for it in self._accounts.values()),
                "store_away": self._patience.tried,
            },
        )

    async def init(self) -> None:
        """Drop callers that waited for a predecessor: they have noticed its end and ask again."""
        for account in self._accounts.values():
            account.leave(lambda _: True)
        self.spawn_link(self._admit_all)

    async def handle_call(self, request: Admit, caller: Caller) -> CallResult:
        """Queue the caller at its account. The reply follows when the call may begin."""
        wait = self._accounts[request.key].want(caller, request.tokens)
        self._wake.set()
        if trio.current_time() + wait < self._pause_until:  # it may overtake those before it
            self._sooner.set()
        return NoReply()

    async def handle_cast(self, message: object) -> None:
        """Settle a call's tokens, drop callers that have given up, or replace the accounts: then
        waiting callers get False and ask again."""
        match message:
            case Settle(key, tokens):
                self._accounts[key].settle(tokens)
                self._wake.set()
            case Renew(accounts):
                for account in self._accounts.values():
                    for want in account.waiting:
                        want.who.reply(False)
                    account.leave(lambda _: True)
                self._accounts = accounts
            case GaveUp(key) if key in self._accounts:  # else the key is gone
                self._accounts[key].leave(lambda caller: caller.settled)
                self._wake.set()
                self._sooner.set()

    async def _admit_all(self) -> None:
        pause = math.inf
        while True:
            await self._wake.wait(pause)
            for account in self._accounts.values():
                self._serve(account)
            hungry = [account for account in self._accounts.values() if account.waiting]
            if not hungry:
                pause = math.inf
                continue
            try:
                await self._draw(hungry)
            except StorageError as error:
                await self._patience.failed(error)
                pause = 0.0
                continue
            self._patience.worked()
            for account in hungry:
                self._serve(account)
            waits = [account.wait() for account in hungry if account.waiting]
            pause = min(max(min(waits), SHORTEST_PAUSE), LONGEST_PAUSE) if waits else math.inf
            if waits:
                # Most new calls change nothing for callers that wait for an empty bucket.
                self._pause_until = trio.current_time() + pause
                await self._sooner.wait(pause)
                self._pause_until = -math.inf
                pause = 0.0

    async def _draw(self, accounts: list[Account[Caller]]) -> None:
        wants = [
            Quota(bucket.name, bucket.capacity, bucket.rate, wanted)
            for account in accounts
            for bucket, wanted in zip(account.buckets, account.wanted(), strict=True)
        ]
        taken = await self._store.take_quota(wants)
        for account in accounts:
            count = len(account.buckets)
            account.take(taken[:count])
            taken = taken[count:]

    def _serve(self, account: Account[Caller]) -> None:
        account.leave(lambda caller: caller.settled)
        for want in account.ready():
            if want.who.settled:  # given up meanwhile
                account.take(want.amounts)
            else:
                want.who.reply(True)
