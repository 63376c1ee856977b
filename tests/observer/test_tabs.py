"""The observer's tabs, keys and windows, over a source that knows what it was told."""

import asyncio
import re

import pytest
from textual.pilot import Pilot
from textual.worker import WorkerFailed

from nexus_actors.observer import actor_screen
from nexus_actors.observer import app as app_module
from nexus_actors.observer.snapshots import LogLine, TreeSnapshot
from tests.observer.fake import (
    TREE,
    FakeSource,
    actor,
    letter,
    node,
    provider,
    request,
    waits,
)
from tests.observer.screens import text, until, watch

HOSTILE = "<b>\x1b[31m[red]\u202e\x07\n" + "x" * 100_000


def test_every_tab_shows_what_its_source_knows() -> None:
    """At 80 columns nothing that matters is cut: states, numbers and names stand there as words."""
    seen: dict[str, str] = {}

    async def play(pilot: Pilot[None]) -> None:
        seen["1"] = await until(pilot, "degraded  nexus 0.1.0", "nexus@host2", "? Keys", "q Quit")
        for key, word in zip("234567", _WORDS, strict=True):
            await pilot.press(key)
            seen[key] = await until(pilot, word)

    source = FakeSource()
    watch(source, play)
    for words in (
        "provider openai: connection refused",
        "ai_requests",
        "1,200",
        "lost",
        "12 paused",
    ):
        assert words in seen["1"]
    assert "(0/3) 0" in seen["2"]
    assert "812 ms" in seen["3"]
    assert "open" in seen["3"]
    assert "request-2" in seen["4"]
    assert "failed" in seen["4"]
    assert "provider openai" in seen["5"]
    assert "no answer in 60 s" in seen["6"]
    assert "line 2" in seen["7"]
    for shown in seen.values():
        assert "6 Dead letters  7 Log" in shown
    assert set(source.asked) == {
        *("overview", "trees", "providers", "requests", "waiting", "letters", "log")
    }


_WORDS = ("openai.Worker.1", "anthropic", "request-1", "request-3", "request-17", "line 1")


def test_only_the_tab_that_is_seen_is_asked_for() -> None:
    source = FakeSource()

    async def play(pilot: Pilot[None]) -> None:
        await until(pilot, "nexus@host1")
        await pilot.press("2")
        await until(pilot, "Router")
        source.asked.clear()
        while len(source.asked) < 3:
            await asyncio.sleep(0.02)

    watch(source, play)
    assert set(source.asked) == {"trees"}


def test_what_is_away_is_said_and_comes_back_by_itself() -> None:
    """What was shown stays meanwhile."""
    source = FakeSource()

    async def play(pilot: Pilot[None]) -> None:
        await until(pilot, "nexus@host1")
        source.away = "no service answers here"
        await until(pilot, "no service answers here", "nexus@host1")
        source.away = ""
        await until(pilot, "nexus@host1", gone="no service answers here")

    watch(source, play)


def test_rows_are_drawn_anew_only_where_they_changed_and_the_cursor_stays_on_its_row() -> None:
    source = FakeSource()

    async def play(pilot: Pilot[None]) -> None:
        await pilot.press("3")
        await until(pilot, "anthropic")
        await pilot.press("down")
        grid = pilot.app.query_one("#grid-providers-providers")
        assert grid.current.subject.name == "anthropic"
        source.answers["providers"] = [
            provider("a-new-one", "ok"),
            provider("anthropic", "throttled"),
        ]
        await until(pilot, "a-new-one", "throttled", gone="openai")
        assert grid.current.subject.name == "anthropic"

    watch(source, play)


def test_a_filter_leaves_the_rows_that_have_its_words_and_sorting_orders_them() -> None:
    source = FakeSource()
    source.answers["requests"] = [
        request(f"id-{n}", "done", latency_ms=ms) for n, ms in ((1, 500), (2, 9000), (3, 70))
    ]

    async def play(pilot: Pilot[None]) -> None:
        await pilot.press("4")
        await until(pilot, "id-1")
        await pilot.press("o")
        await until(pilot, "6  took")
        await pilot.press("6")
        shown = await until(pilot, "took ^")
        assert re.findall(r"id-\d", shown) == ["id-3", "id-1", "id-2"]
        await pilot.press("o")
        await until(pilot, "6  took")
        await pilot.press("6")
        shown = await until(pilot, "took v")
        assert re.findall(r"id-\d", shown) == ["id-2", "id-1", "id-3"]
        await pilot.press("slash")
        await pilot.press(*"id-2", "enter")
        await until(pilot, "filter: id-2", "9000 ms", gone="500 ms")
        await pilot.press("escape")
        await until(pilot, "500 ms", gone="filter:")

    watch(source, play)


def test_the_tree_folds_and_a_filter_looks_into_what_is_folded() -> None:
    async def play(pilot: Pilot[None]) -> None:
        await pilot.press("2")
        await until(pilot, "Router")
        await pilot.press("down", "down", "left")
        await until(pilot, "+ Pipeline.Supervisor", gone="Router")
        await pilot.press("slash")
        await pilot.press(*"router", "enter")
        await until(pilot, "Router", gone="Control")
        await pilot.press("escape")
        await until(pilot, "+ Pipeline.Supervisor", gone="Router")
        await pilot.press("home", "down", "down", "right")
        await until(pilot, "- Pipeline.Supervisor", "Router")
        await pilot.press("minus")
        await until(pilot, "+ Pipeline.Supervisor", gone="Router")
        await pilot.press("plus")
        await until(pilot, "Router")

    watch(FakeSource(), play)


def test_children_of_one_name_are_rows_of_their_own() -> None:
    twins = actor("Root", actor("same"), actor("same"), actor("other"))
    source = FakeSource()
    source.answers["trees"] = [TreeSnapshot(node="", name="x", root=twins)]

    async def play(pilot: Pilot[None]) -> None:
        await pilot.press("2")
        shown = await until(pilot, "other")
        assert len(re.findall(r"\bsame\b", shown)) == 2

    watch(source, play)


def test_a_node_that_shows_no_tree_is_named_beside_those_that_do() -> None:
    source = FakeSource()
    source.answers["trees"] = [
        TreeSnapshot(node="id-1", name="nexus@host1", root=TREE),
        TreeSnapshot(node="id-2", name="nexus@host2", root=None, why="it shows nothing yet"),
    ]

    async def play(pilot: Pilot[None]) -> None:
        await pilot.press("2")
        await until(pilot, "nexus@host2: it shows nothing yet", "Router")

    watch(source, play)


def test_an_actor_is_looked_into_with_its_rate_and_traced_until_the_view_closes() -> None:
    source = FakeSource()

    async def play(pilot: Pilot[None]) -> None:
        await pilot.press("2")
        await until(pilot, "Router")
        await pilot.press("down", "enter")
        shown = await until(pilot, "Registry", "mailbox", "'provider': 'str'")
        assert "Pipeline.Supervisor" in shown
        await until(pilot, "3 messages", gone="messages/s   -")
        await pilot.press("t")
        await until(pilot, "got Run in handle_cast")
        assert source.traced == {"Registry"}
        await pilot.press("escape")
        await until(pilot, "7 Log", "Router")

    watch(source, play)
    assert source.traced == set()


def test_where_the_screen_is_drawn_seldom_what_is_seen_is_asked_for_often(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Nodes show themselves, count and trace for ten seconds after a question: with --refresh 30
    nothing would ever be seen."""
    monkeypatch.setattr(app_module, "OFTEN", 0.02)
    monkeypatch.setattr(actor_screen, "OFTEN", 0.02)
    source = FakeSource()

    async def asked_again(pilot: Pilot[None], what: str) -> None:
        source.asked.clear()
        while source.asked.count(what) < 3:
            await asyncio.sleep(0.02)

    async def play(pilot: Pilot[None]) -> None:
        await pilot.press("2")
        await until(pilot, "Router")
        source.answers["trees"] = [
            TreeSnapshot(node="", name="x", root=actor("Root", actor("New")))
        ]
        await asked_again(pilot, "trees")
        assert "Router" in text(pilot)
        await pilot.press("r")
        await until(pilot, "New", gone="Router")
        await pilot.press("down", "enter")
        await until(pilot, "3 messages")
        await asked_again(pilot, "actor")
        await pilot.press("t")
        await until(pilot, "got Run in handle_cast")
        source.ended = "it was traced for 60 s"
        await until(pilot, "it was traced for 60 s; t begins anew")
        source.ended, source.traced = "", set()
        await asked_again(pilot, "actor")
        assert source.traced == set()

    watch(source, play, refresh=3600)


def test_texts_of_strangers_steer_nothing_and_are_escaped_everywhere() -> None:
    source = FakeSource()
    source.answers |= {
        "providers": [provider(HOSTILE, HOSTILE, why=HOSTILE)],
        "requests": [request(HOSTILE, "leased", agent_id=HOSTILE, model=HOSTILE)],
        "waiting": [waits(None, HOSTILE, detail=HOSTILE), waits(HOSTILE, HOSTILE)],
        "letters": [letter(17, request_id=HOSTILE, reason=HOSTILE, wrong=HOSTILE)],
        "log": [LogLine(key="1", when="", level="info", text=HOSTILE)],
        "trees": [TreeSnapshot(node="", name="x", root=actor(HOSTILE, actor("below")))],
    }
    overview = source.answers["overview"]
    bad = node(HOSTILE, HOSTILE, why=HOSTILE)
    source.answers["overview"] = type(overview)(
        **{name: getattr(overview, name) for name in type(overview).__slots__}
        | {"nodes": [bad], "outages": {HOSTILE: HOSTILE}, "paused": [HOSTILE], "summary": HOSTILE}
    )
    seen: list[str] = []

    async def play(pilot: Pilot[None]) -> None:
        for key in "1234567":
            await pilot.press(key)
            seen.append(await until(pilot, r"<b>\x1b"))
        await pilot.press("4", "enter")
        seen.append(await until(pilot, "the story of"))
        await pilot.press("escape", "c")
        seen.append(await until(pilot, "Cancel the request"))

    watch(source, play, size=(140, 40))
    for shown in seen:
        assert not re.search("[\x1b\u202e\x07]", shown)


def test_the_keys_are_reported_and_windows_close() -> None:
    async def play(pilot: Pilot[None]) -> None:
        await until(pilot, "nexus@host1")
        await pilot.press("question_mark")
        await until(pilot, "restart the actor, K: kill it")
        await pilot.press("escape")
        await until(pilot, "7 Log")
        await pilot.press("4")
        await until(pilot, "request-2")
        await pilot.press("enter")
        await until(pilot, "the story of request-1")
        await pilot.press("escape", "6")
        await until(pilot, "request-17")
        await pilot.press("enter")
        await until(pilot, '{"letter": 17}')
        await pilot.press("escape", "q")

    assert watch(FakeSource(), play).failure is None


def test_without_colour_states_are_words(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NO_COLOR", "1")

    async def play(pilot: Pilot[None]) -> None:
        await until(pilot, "degraded", "lost", "ready")
        assert pilot.app.no_color

    watch(FakeSource(), play)


def test_a_mistake_of_ours_ends_it_without_the_values_of_variables() -> None:
    """textual's own traceback would print them, secrets among them. Whoever runs it raises it."""
    source = FakeSource()
    source.answers["providers"] = "no list of providers"

    async def play(pilot: Pilot[None]) -> None:
        await until(pilot, "nexus@host1")
        await pilot.press("3")
        while pilot.app.failure is None:
            await asyncio.sleep(0.02)

    with pytest.raises(WorkerFailed, match="AttributeError"):
        watch(source, play)
