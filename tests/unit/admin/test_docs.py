"""What docs, alerts and dashboard say of the numbers is so."""

import json
import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any, get_args

import pytest
import yaml

from nexus_actors.admin.families import ALL, BY_NAME, Family
from nexus_actors.admin.kinds import KINDS
from nexus_actors.contract.errors import NO_FAULT
from nexus_actors.storage.nodes import NodeState

ROOT = Path(__file__).resolve().parents[3]
DOCS = (ROOT / "docs" / "metrics.md").read_text()
RULES = ROOT / "config" / "prometheus" / "alerts.yml"
DASHBOARD = json.loads((ROOT / "config" / "grafana" / "nexus.json").read_text())
UNITS = {"seconds": "seconds", "bytes": "bytes", "dollars": "US dollars", "ratio": "0 to 1"}
PROMETHEUS_OWN = {"up", "ALERTS"}
PROMETHEUS_LABELS = {"instance", "job", "le"}


def unit(name: str) -> str:
    return UNITS.get(name.removesuffix("_total").rpartition("_")[2], "")


def test_every_metric_is_in_the_docs_and_every_one_in_the_docs_exists() -> None:
    row = r"^\| `((?:nexus|process)_\w+)` \| (\w+) \| (.*) \| (.*?) \| (.*) \|$"
    told = [
        (name, kind, tuple(re.findall(r"`(\w+)`", labels)), in_, meaning)
        for name, kind, labels, in_, meaning in re.findall(row, DOCS, re.M)
    ]
    assert told == [(it.name, it.kind, it.labels, unit(it.name), it.help) for it in ALL]


def test_names_are_those_of_prometheus() -> None:
    assert len(ALL) > 40
    wrong = [
        family
        for family in ALL
        if not re.fullmatch(r"(nexus|process)_[a-z0-9_]+", family.name)
        or family.name.endswith("_total") != (family.kind == "counter")
        or family.name.endswith("_info") != (family.kind == "info")
        or family.help.endswith(".")
        or set(family.labels) & PROMETHEUS_LABELS
    ]
    assert not wrong, "\n".join(map(repr, wrong))


# -- alerts and dashboard


def test_the_alert_for_errors_leaves_out_what_the_dashboards_verdict_leaves_out() -> None:
    (rule,) = (it for it in alerts() if it["alert"] == "NexusErrorShare")
    above, below = (set(it.split("|")) for it in re.findall(r'outcome!~"(.*?)"', rule["expr"]))
    assert above == below | {"ok"}
    assert below == NO_FAULT


def alerts() -> list[dict[str, Any]]:
    return [
        rule for group in yaml.safe_load(RULES.read_text())["groups"] for rule in group["rules"]
    ]


def queries() -> Iterator[tuple[str, str]]:
    """Each query, and whose it is."""
    for rule in alerts():
        yield rule["alert"], rule["expr"]
    for panel in DASHBOARD["panels"]:
        for target in panel.get("targets", ()):
            yield panel["title"], target["expr"]
    for variable in DASHBOARD["templating"]["list"]:
        if variable["type"] == "query":
            yield variable["name"], variable["query"]["query"]


def family_of(sample: str) -> Family | None:
    found = BY_NAME.get(sample)
    base = BY_NAME.get(re.sub(r"_(bucket|sum|count)$", "", sample))
    if found is not None and found.kind != "histogram":
        return found
    return base if base is not None and base.kind == "histogram" and base.name != sample else None


def unknown(query: str) -> Iterator[str]:
    """The names and labels of it that there are not."""
    names = re.findall(r"\b((?:nexus|process)_\w+)", query)
    used = {name: found.labels for name in names if (found := family_of(name)) is not None}
    yield from set(names) - used.keys()
    if not names:
        yield from set(re.findall(r"\b(\w+)\{", query)) - PROMETHEUS_OWN
    for name, matchers in re.findall(r"\b((?:nexus|process)_\w+)\{([^}]*)\}", query):
        labels = set(re.findall(r"(\w+)(?==~|!=|!~|=)", matchers))
        yield from labels - {*used.get(name, ()), *PROMETHEUS_LABELS}
    for grouped in re.findall(r"\bby \(([^)]*)\)", query):
        yield from set(re.split(r",\s*", grouped)) - PROMETHEUS_LABELS.union(*used.values())


def test_every_name_and_label_of_a_query_exists() -> None:
    wrong = [(*it, missing) for it in queries() for missing in unknown(it[1])]
    assert not wrong, "\n".join(map(repr, wrong))
    assert len(list(queries())) > 50


def test_values_of_labels_that_are_asked_for_are_some_that_there_are() -> None:
    said = {
        "state": {"open", "half_open", "usable", "suspended", "lost", *get_args(NodeState)},
        "within": {"true", "false"},
        "queue": {"requests", "results", "dead"},
        "subject": {"queue", "provider", "model", "agent", "node"},
        "actor": set(KINDS),
    }
    for _, query in queries():
        for label, _, words in re.findall(r'(\w+)(=~?|!=)"([\w.|]+)"', query):
            assert set(words.split("|")) <= said.get(label, set(words.split("|"))), (label, words)


def test_each_alert_says_what_to_do_and_where_that_stands() -> None:
    operating = (ROOT / "docs" / "operating.md").read_text()
    headings = {
        re.sub(r"[^\w -]", "", it).strip().lower().replace(" ", "-")
        for it in re.findall(r"^#+ (.*)$", operating, re.M)
    }
    assert len(alerts()) >= 12
    for rule in alerts():
        page, _, anchor = rule["annotations"]["runbook"].partition("#")
        assert page == "docs/operating.md"
        assert anchor == rule["alert"].lower()
        assert anchor in headings
        assert rule["annotations"]["runbook_url"].endswith(f"/operating.md#{anchor}")
        assert rule["labels"]["severity"] in {"page", "ticket"}


def test_the_dashboard_can_be_provisioned() -> None:
    assert "__inputs" not in DASHBOARD, "it asks nothing when it is imported"
    ids = [panel["id"] for panel in DASHBOARD["panels"]]
    assert len(ids) == len(set(ids))
    places = [
        (panel["gridPos"]["y"], panel["gridPos"]["x"], panel["gridPos"]["w"])
        for panel in DASHBOARD["panels"]
    ]
    assert all(x + w <= 24 for _, x, w in places)
    sources = re.findall(r'"uid": "([^"]*)"', json.dumps(DASHBOARD["panels"]))
    assert set(sources) == {"${datasource}"}


def test_the_dashboard_shows_the_worst_of_keys_and_no_process_of_others() -> None:
    exprs = [target["expr"] for panel in DASHBOARD["panels"] for target in panel.get("targets", ())]
    of_process = [it for expr in exprs for it in re.findall(r"\bprocess_\w+(\{[^}]*\})?", expr)]
    assert len(of_process) >= 4
    assert all('job=~"$job"' in it for it in of_process), "every exporter has these names"
    (job,) = (it for it in DASHBOARD["templating"]["list"] if it["name"] == "job")
    assert "allValue" not in job, "All of them are those that have a nexus"
    of_keys = [
        re.findall(r'^(\w+) by .*nexus_keys.*state="(\w+)"', it)
        for it in exprs
        if "nexus_keys" in it
    ]
    assert of_keys == [[("min", "usable")], [("max", "suspended")]]


def test_prometheus_takes_the_alerts_and_they_fire_when_they_should() -> None:
    promtool = shutil.which("promtool")
    if promtool is None:
        pytest.skip("promtool (Debian's prometheus) is not installed: the rules are not checked")
    for what, file in (
        ("check rules", RULES),
        ("check config", RULES.with_name("nexus.yml")),
        ("test rules", RULES.with_name("alerts_test.yml")),
    ):
        command = [promtool, *what.split(), str(file)]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout + done.stderr
