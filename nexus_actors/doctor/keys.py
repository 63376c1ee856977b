"""Checks of the configured keys, and of what the providers say about them."""

from collections.abc import Iterator, Sequence
from typing import Final

import trio
from pydantic import SecretStr

from nexus_actors.contract.errors import ErrorType
from nexus_actors.doctor.check import Check, Installation, in_thread
from nexus_actors.doctor.finding import Advice, Finding, NotChecked, Ok, Wrong
from nexus_actors.providers.http.kind import HttpKind
from nexus_actors.providers.http.probe import ProbeResult
from nexus_actors.providers.port import ProviderFailure
from nexus_actors.settings.model import LeftOut, Provider, Settings
from nexus_actors.settings.suggestions import nearest

_GONE: Final = ": no such file or directory"
_SHARE: Final = 0.8
"""Share of a check's time for one call, so that its own error is reported before the time is up."""
_LEFT_OUT: Final = "it is left out: requests for it go to the route's next model, or fail"


def look_at_keys(at: Installation) -> Sequence[Finding]:
    """Check that each provider has the keys that its table names. Calls nothing."""
    findings: list[Finding] = [_present(it) for it in at.settings.providers.values()]
    by_cause: dict[tuple[str, bool], list[LeftOut]] = {}
    for it in at.settings.left_out.values():
        by_cause.setdefault(_cause(it), []).append(it)
    return findings + [_absent(at.settings, them) for them in by_cause.values()]


def _present(provider: Provider) -> Finding:
    names = ", ".join(it.name for it in provider.api_keys)
    return Ok(names or "needs none", subject=provider.name)


def _cause(left_out: LeftOut) -> tuple[str, bool]:
    """What one finding is about: several providers may lack the same key."""
    return left_out.why, bool(left_out.wrong_keys)


def _absent(settings: Settings, left_out: Sequence[LeftOut]) -> Finding:
    """A finding about providers that are left out for the same cause."""
    why, is_wrong = _cause(left_out[0])
    names = [it.name for it in left_out]
    subject = ", ".join(names)
    fix = _fix_of_key(names[0], why)
    lost = "; ".join(_lost(settings, names))
    leads_to = f"it is left out: {lost}" if lost else _LEFT_OUT
    if is_wrong:
        return Wrong(why, leads_to, fix, subject=subject)
    if lost or any(
        it.startswith(f"providers.{name}.") for it in settings.sources for name in names
    ):
        return Advice(why, leads_to, fix, subject=subject)
    return Ok(f"built in, in no file of yours, and left out: {why}", subject=subject)


def _lost(settings: Settings, providers: Sequence[str]) -> Iterator[str]:
    """What the routes do without. Only the file's own routes: few installations have keys for all
    built-in ones."""
    for index, route in enumerate(
        settings.routes if settings.sources.get("routes") == "file" else ()
    ):
        lost = [str(ref) for ref in route.models if ref.provider in providers]
        if lost:
            yield f"routes[{index}] does without {', '.join(lost)}"


def _fix_of_key(provider: str, why: str) -> str:
    if why.endswith(": chmod 600"):
        return f"chmod 600 {why.partition(' can be read by others')[0]}"
    if why.endswith(_GONE):
        file = why.rpartition("; ")[2].removesuffix(_GONE)
        return f"write the key into it: install -m 600 /dev/stdin {file}"
    if why.endswith("is not set"):
        variable = why.partition(" ")[0]
        return (
            f"set {variable} where the service gets its environment, or give"
            f" [providers.{provider}] an api_key_file"
        )
    return f"see [providers.{provider}] in the config, and docs/keys.md"


async def look_at_providers(at: Installation) -> Sequence[Finding]:
    """Make a free call with each key: is the server reachable, does it accept the key, does it have
    the models that routes name?"""
    if at.given.offline:
        return [NotChecked("--offline: nobody is called")]
    timeout = at.given.patience * _SHARE
    calls: list[tuple[Provider, str, SecretStr | None]] = []
    for provider in at.settings.providers.values():
        calls += [(provider, it.name, it.secret) for it in provider.api_keys]
        calls += [] if provider.api_keys else [(provider, "", None)]
    answers: dict[int, Sequence[Finding]] = {}

    async def ask(number: int, provider: Provider, key: str, secret: SecretStr | None) -> None:
        answers[number] = await _ask(at.settings, provider, key, secret, timeout)

    async with trio.open_nursery() as nursery:
        for number, call in enumerate(calls):
            nursery.start_soon(ask, number, *call)
    # In the order of the config, not of the answers.
    found = [it for number in range(len(calls)) for it in answers[number]]
    return found or [NotChecked("no provider can be used")]


async def _ask(
    settings: Settings, provider: Provider, key: str, secret: SecretStr | None, timeout: float
) -> Sequence[Finding]:
    if not isinstance(provider.kind, HttpKind):
        why = f"kind {provider.settings.kind}: it has no server that could be asked"
        return [NotChecked(why, subject=provider.name)]
    seen = await provider.kind.probe(provider.settings, secret, timeout=timeout)
    if isinstance(seen, ProviderFailure):
        return [_failed(provider.name, key, seen)]
    return [_answered(key, seen, provider), *_unknown_models(settings, provider.name, seen)]


def _answered(key: str, seen: ProbeResult, provider: Provider) -> Finding:
    place = getattr(provider.settings, "base_url", "")
    if key and not seen.proves_key:
        why = f"{place} answers; whether it takes {key} only a call that costs would tell"
        return NotChecked(why, subject=provider.name)
    return Ok(f"{place} answers" + (f", and takes {key}" * bool(key)), subject=provider.name)


def _failed(provider: str, key: str, failure: ProviderFailure) -> Finding:
    message = failure.message
    away = (ErrorType.CONNECTION_FAILED, ErrorType.TIMEOUT, ErrorType.INVALID_RESPONSE)
    if failure.type in away:
        leads_to = "its calls fail, and its circuits open; requests go to the route's next model"
        fix = (
            f"start that server, or correct [providers.{provider}] base_url; see whether this host"
            " gets there (DNS, firewall, proxy)"
        )
        return Wrong(message, leads_to, fix, subject=provider)
    if failure.status_code in (404, 405):
        return NotChecked(f"it has no free call that we know of ({message})", subject=provider)
    if failure.type == ErrorType.QUOTA_EXCEEDED:
        leads_to = "the key is suspended, and requests wait for it, or go to the next model"
        fix = f"pay, or raise the limit of {key or 'the account'} at the vendor; docs/keys.md"
        return Wrong(f"{key or 'the account'} is spent: {message}", leads_to, fix, subject=provider)
    if failure.type == ErrorType.AUTHENTICATION_FAILED:
        return _refused(provider, key, failure)
    leads_to = "calls may fail likewise, at present"
    return Advice(message, leads_to, "try again; the vendor's status page", subject=provider)


def _refused(provider: str, key: str, failure: ProviderFailure) -> Finding:
    name = key or "a call without a key"
    cause = f"{name} is refused: {failure.message}"
    fix = f"put a good key into {key}, then nexus reload (a file) or a restart (a variable)"
    if not key:
        fix = f"name one in [providers.{provider}] api_key_env"
    if failure.scope != "key":
        leads_to = "its calls may be refused, too; a key may be good for calls and not for this one"
        return Advice(cause, leads_to, f"{fix}; or try it: nexus ask", subject=provider)
    leads_to = "its requests wait for a key that works ([queue] on_no_key), or go to the next model"
    return Wrong(cause, leads_to, fix, subject=provider)


def _unknown_models(settings: Settings, provider: str, seen: ProbeResult) -> Sequence[Finding]:
    named = {
        ref.model
        for route in settings.routes
        for ref in route.models
        if ref.provider == provider and ref.model != "*"
    }
    findings = []
    for model in sorted(named) if seen.models else ():
        if seen.has(model):
            continue
        close = nearest(model, seen.models)
        hint = f"did you mean {provider}/{close}?" if close else "see the vendor's list of models"
        cause = f"{provider}/{model}, which a route names, is not among the models it lists"
        leads_to = "calls to it probably end as model_unavailable"
        findings.append(Advice(cause, leads_to, f"correct [[routes]]: {hint}", subject=provider))
    return findings


CHECKS: Final = (
    Check("keys", in_thread(look_at_keys)),
    Check("providers", look_at_providers),
)
