"""The actor that keeps one provider's limits of requests and tokens per minute, together with every
other process on the same database."""

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
"""Seconds between two looks into an empty bucket; others may draw from it too."""
LONGEST_PAUSE = 1.0


@dataclass(frozen=True, slots=True)
class Admit(Call[bool]):
    """May a call with this key be made that needs so many tokens? True when it may; False if the
    keys or their limits are others meanwhile: ask anew."""

    key: int
    tokens: float


@dataclass(frozen=True, slots=True)
class Settle:
    """A call with this key needed so many tokens less than it was given; negative: more."""

    key: int
    tokens: float


@dataclass(frozen=True, slots=True)
class GaveUp:
    """Who waited for this key waits no more."""

    key: int


@dataclass(frozen=True, slots=True)
class Renew:
    """These keys and limits hold from now on."""

    accounts: Mapping[int, Account[Caller]]


class RateLimiter(GenServer):
    """Answers each `Admit` when its turn has come; small calls pass large ones within bounds (see
    `Account`). Who gives up waiting loses its place, and what it was given goes to the next.

    A request's share is the account's; which process makes it does not matter. While the database
    is away nobody is admitted.
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
        """Those who waited for a predecessor were told that it ended, and ask again."""
        for account in self._accounts.values():
            account.leave(lambda _: True)
        self.spawn_link(self._admit_all)

    async def handle_call(self, request: Admit, caller: Caller) -> CallResult:
        """Queue the call at its account; the reply follows when the call may begin."""
        wait = self._accounts[request.key].want(caller, request.tokens)
        self._wake.set()
        if trio.current_time() + wait < self._pause_until:  # it may pass those before it
            self._sooner.set()
        return NoReply()

    async def handle_cast(self, message: object) -> None:
        """Settle a call's tokens; take over other accounts, where whoever waits is told False and
        asks again; or drop callers that have given up."""
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
            case GaveUp(key) if key in self._accounts:  # else of a key that is no more
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
                # Most new requests change nothing for those who wait for an empty bucket.
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
