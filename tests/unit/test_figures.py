"""Figures that pages quote are those of the last stored run."""

import json
from pathlib import Path
from typing import Any, Final

import pytest

ROOT: Final = Path(__file__).resolve().parents[2]
RESULTS: Final = ROOT / "benchmarks" / "results"


def stored(measure: str) -> Any:
    return json.loads((RESULTS / f"{measure}.json").read_text())


def median(measure: str, name: str, side: str) -> float:
    (value,) = [
        it["median"]
        for it in stored(measure)["figures"]
        if (it["name"], it["side"]) == (name, side)
    ]
    return float(value)


OURS: Final = f"{median('peers', 'echo: throughput', 'ours'):,.0f}"
PGQUEUER: Final = f"{median('peers', 'echo: throughput', 'pgqueuer'):,.0f}"
OF_PGQUEUER: Final = f"{median('peers', 'echo: throughput', 'ours / pgqueuer'):.2f} ×"  # noqa: RUF001
HTTP: Final = f"{median('peers', 'http: throughput', 'ours'):,.0f}"
LITELLM: Final = f"{median('peers', 'http: throughput', 'pgqueuer + LiteLLM'):,.0f}"
OF_LITELLM: Final = f"{median('peers', 'http: throughput', 'ours / pgqueuer + LiteLLM'):.1f} ×"  # noqa: RUF001
STORED: Final = f"{median('latency', 'enqueue → stored, idle, median', 'ours'):.1f}"

QUOTED: Final = {
    "README.md": [
        f"pgqueuer {PGQUEUER}/s, nexus {OURS}/s",
        f"{HTTP} requests/s",
        f"{STORED} ms",
        stored("peers")["at"][:10],
    ],
    "docs/decisions/no_litellm.md": [f"LiteLLM made {LITELLM} requests/s", f"made {HTTP} on"],
    "benchmarks/README.md": [
        f"| {OURS}, {OF_PGQUEUER} (pgqueuer {PGQUEUER},",
        f"+ LiteLLM | {HTTP}, {OF_LITELLM} (theirs: {LITELLM})",
        f"median | {STORED} ms",
    ],
}


@pytest.mark.parametrize("page", QUOTED)
def test_a_page_quotes_the_last_figures(page: str) -> None:
    text = " ".join((ROOT / page).read_text().split())
    assert [it for it in QUOTED[page] if it not in text] == []


def test_the_revision_of_each_measure_is_reported_as_it_is_stored() -> None:
    rows = (ROOT / "benchmarks" / "README.md").read_text().splitlines()
    for path in RESULTS.glob("*.json"):
        revision = stored(path.stem)["versions"]["revision"]
        assert [it for it in rows if f"`{path.stem}`" in it and f"| {revision} |" in it], path.stem
