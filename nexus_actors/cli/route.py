"""`nexus route`: where a request would go, without calling a provider."""

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from nexus_actors.cli import exit_codes
from nexus_actors.cli.options import AsJson, ConfigPath, input_file, read_settings
from nexus_actors.cli.report import CommandError, complain, print_json, say

if TYPE_CHECKING:
    from collections.abc import Sequence

    from nexus_actors.contract.request import LLMRequest
    from nexus_actors.routing import Routed, Unroutable
    from nexus_actors.routing.catalog import Catalog
    from nexus_actors.settings import ModelRef, Settings


def route(
    file: Annotated[str, input_file("A request as JSON, or one per line")],
    /,
    *,
    config: ConfigPath = None,
    json: AsJson = False,
) -> int:
    """Show where a request would go, why, and what it would cost. No provider is called.

    Shows the matching route, the models it would try in order, the models it cannot use, and the
    cost of the call. Several requests, one JSON object per line as for nexus enqueue, are shown
    line by line. No id is needed. Exit code 1 if one of them would fail.

    Example: nexus route request.json
    """
    settings = read_settings(config)
    lines = _requests(file, _read(file))
    told = [_explained(settings, text) for _number, text in lines]
    if json and lines[0][0] is None:
        print_json(told[0])
    elif json:
        print_json([{"line": number, **it} for (number, _), it in zip(lines, told, strict=True)])
    else:
        for (number, _text), explained in zip(lines, told, strict=True):
            _print(explained, number)
    failed = any(explained["error"] is not None for explained in told)
    return exit_codes.FAILED if failed else exit_codes.OK


def _requests(file: str, text: str) -> list[tuple[int | None, str]]:
    """One request in any layout, or one per line with the line's number."""
    lines = [(number, it) for number, it in enumerate(text.split("\n"), 1) if it.strip()]
    if len(lines) > 1 and (file.endswith(".jsonl") or _parsed(lines[0][1]) is not None):
        return [*lines]
    return [(None, text)]


def _parsed(text: str) -> object:
    """The parsed JSON, or None if it is invalid."""
    import json

    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return None


def _explained(settings: "Settings", text: str) -> dict[str, Any]:
    from nexus_actors.cli.enqueue import with_id
    from nexus_actors.contract.decode import decode_request
    from nexus_actors.contract.errors import Refusal

    request = decode_request(with_id(text, _parsed(text)), settings.requests.bounds)
    if not isinstance(request, Refusal):
        return explain_route(settings, request)
    error = {"type": str(request.type), "message": request.message, "path": request.path}
    return {"error": error}


def _read(file: str) -> str:
    if file == "-":
        return sys.stdin.read()
    try:
        return Path(file).read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or "it is not UTF-8"
        raise CommandError(f"cannot read {file}: {reason}", exit_codes.USAGE) from error


def explain_route(settings: "Settings", request: "LLMRequest") -> dict[str, Any]:
    """The routing of a request, in the form of the JSON output."""
    from nexus_actors.providers.honours import wanted
    from nexus_actors.routing import Routed, Routes
    from nexus_actors.routing.choice import expected_cost
    from nexus_actors.routing.estimate import estimate_input

    routes = Routes(settings)
    outcome = routes.candidates(request)
    candidates = outcome.candidates if isinstance(outcome, Routed) else ()
    unheard = routes.unheard(request)
    estimate, wants = estimate_input(request), wanted(request)
    misfits = [routes.catalog.misfit(it, request, estimate, wants) for it in candidates]
    refusals = [_refused_by_budget(settings, it, request, routes.catalog) for it in candidates]
    return {
        "route": routes.name_of(outcome.route),
        "input_tokens": estimate.expected,
        "max_tokens": request.max_tokens,
        "dropped": (*request.unknown, *([unheard] if candidates and unheard else [])),
        "candidates": [
            {
                "model": str(candidate),
                "expected_cost": expected_cost(candidate, request, routes.catalog),
                "context_window": routes.catalog.facts(candidate).context_window,
                "unhonoured": None if misfit is None else misfit.why,
                "refused": refused,
            }
            for candidate, misfit, refused in zip(candidates, misfits, refusals, strict=True)
        ],
        "skipped": [
            {"model": f"{skipped.provider}/{skipped.model}", "why": skipped.why}
            for skipped in outcome.skipped
        ],
        "error": _error(outcome, refusals),
    }


def _refused_by_budget(
    settings: "Settings", ref: "ModelRef", request: "LLMRequest", catalog: "Catalog"
) -> str | None:
    """The budget that refuses this call even if unspent, and why."""
    from nexus_actors.admission.budget_bounds import counted, most_cost, refused_as_unknown

    budgets = counted(settings.budgets, request, ref.provider)
    return refused_as_unknown(budgets, most_cost(ref, request, catalog)) if budgets else None


def _error(
    outcome: "Routed | Unroutable", refusals: "Sequence[str | None]"
) -> dict[str, str] | None:
    """The error with which the request would end without a call."""
    from nexus_actors.contract.errors import ErrorType
    from nexus_actors.routing import Routed

    if not isinstance(outcome, Routed):
        return {"type": str(outcome.type), "message": outcome.message}
    told = [it for it in refusals if it is not None]
    if len(told) < len(refusals):
        return None
    return {"type": str(ErrorType.QUOTA_EXCEEDED), "message": told[-1]}


def _print(explained: dict[str, Any], line: int | None) -> None:
    error, place = explained["error"], "" if line is None else f"line {line}: "
    if line is not None:
        say(f"line    {line}")
    if "route" in explained:
        _print_candidates(explained)
    if error is not None:
        complain(f"{place}{error['type']}: {error['message']}")


def _print_candidates(explained: dict[str, Any]) -> None:
    from rich import box
    from rich.table import Table

    from nexus_actors.cli.screen import Screen

    limit = explained["max_tokens"]
    answer = f", at most {limit} of answer" if limit else ""
    say(f"route   {explained['route']}")
    say(f"tokens  about {explained['input_tokens']} of input{answer}")
    if explained["dropped"]:
        say(f"dropped {', '.join(explained['dropped'])} (whoever answers)")
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    table.add_column("", justify="right")
    table.add_column("model", no_wrap=True)
    table.add_column("expected cost", justify="right", no_wrap=True)
    table.add_column("why not", overflow="fold")
    for number, row in enumerate(explained["candidates"], start=1):
        cost = row["expected_cost"]
        form = f"the nearest form only: {row['unhonoured']}" if row["unhonoured"] else ""
        nearest = row["refused"] or form
        dollars = "unknown" if cost is None else _cents(cost)
        table.add_row(str(number), row["model"], dollars, nearest)
    for row in explained["skipped"]:
        table.add_row("-", row["model"], "", row["why"])
    if table.row_count:
        Screen().print(table)


def _cents(cost: float) -> str:
    return f"${cost:.6f}" if cost else "$0"
