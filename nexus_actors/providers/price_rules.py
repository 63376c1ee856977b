"""Fees and factors that the price list does not have, from `prices.toml` beside this file."""

import tomllib
from collections.abc import Iterable
from fnmatch import fnmatchcase
from functools import cache, lru_cache
from importlib.resources import files
from typing import Final, Self, TypeVar

from pydantic import BaseModel, ConfigDict, Field, model_validator

from nexus_actors.providers.takes import plain_name

_KEPT: Final = 1024
"""Models at most: requests can name any number of them."""


class _Rule(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)

    provider: str
    names: tuple[str, ...] = ("*",)

    def is_for(self, provider: str, name: str) -> bool:
        """Whether it speaks of the model of this plain name at this provider."""
        return self.provider == provider and any(fnmatchcase(name, glob) for glob in self.names)


class Factor(_Rule):
    """By how much a service tier or a place changes the prices of tokens."""

    tier: str | None = None
    geo: str | None = None
    times: float = Field(ge=0)
    cached_times: float | None = Field(default=None, ge=0)
    """For what is read from the cache; else as `times`."""

    @model_validator(mode="after")
    def _check_cause(self) -> Self:
        if (self.tier is None) == (self.geo is None):
            raise ValueError("expected one of tier and geo")
        return self


class _Fee(_Rule):
    call: str
    per_thousand: float = Field(ge=0)


class _File(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)

    factor: tuple[Factor, ...]
    fee: tuple[_Fee, ...]


@cache
def _rules() -> _File:
    text = files("nexus_actors.providers").joinpath("prices.toml").read_text(encoding="utf-8")
    return _File.model_validate(tomllib.loads(text))


@lru_cache(_KEPT)
def factor(
    provider: str, model: str, *, tier: str | None = None, geo: str | None = None
) -> Factor | None:
    """For a service tier, or for a place; None where there is none."""
    matching = (
        it
        for it in _rules().factor
        if it.tier == tier and (it.geo == geo or (geo and it.geo == "*"))
    )
    return _first(matching, provider, model)


@lru_cache(_KEPT)
def fee(provider: str, model: str, call: str) -> float | None:
    """US dollars for one call of a tool of the provider's own; None where unknown."""
    found = _first((it for it in _rules().fee if it.call == call), provider, model)
    return None if found is None else found.per_thousand / 1000


R = TypeVar("R", bound=_Rule)


def _first(rules: Iterable[R], provider: str, model: str) -> R | None:
    name = plain_name(model)
    return next((rule for rule in rules if rule.is_for(provider, name)), None)
