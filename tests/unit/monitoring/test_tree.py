"""A tree from what a node wrote: what is wrong in it, what is alike, and what is no tree at all."""

from nexus_actors.monitoring.tree import (
    DEEPEST,
    MOST_ACTORS,
    MOST_CRASHES,
    Actor,
    find,
    read_actor,
    read_tree,
    walk,
)

NOW = 1_000_000.0
Body = dict[str, object]


def root(body: Body) -> Actor:
    found = read_tree({"tree": body}, NOW).root
    assert found is not None
    return found


def test_what_is_wrong_with_an_actor() -> None:
    cases = [
        ({"status": "idle", "pid": 7, "restarts": 3, "uptime": 4000.0}, None),
        ({"status": "busy", "since": NOW - 300}, None),
        ({"status": "busy", "since": NOW - 300, "mailbox_length": 1}, "stuck"),
        ({"status": "busy", "since": NOW - 3, "mailbox_length": 1}, None),
        ({"mailbox_length": 100}, "mailbox fills"),
        ({"status": "restarting"}, "restarting"),
        ({"status": "stopped"}, "stopped"),
        ({"status": "suspended"}, "suspended"),
        ({"restarts": 1, "uptime": 10.0}, "restarted recently"),
        ({"recent_restarts": 2, "max_restarts": 4}, None),
        ({"recent_restarts": 3, "max_restarts": 4}, "near max_restarts"),
    ]
    wrong = []
    for told, trouble in cases:
        found = root({"name": "Root", "children": [{"name": "It", **told}]})
        [it] = found.children
        if not (
            it.trouble == trouble
            and (found.troubles, found.size) == (int(trouble is not None), 2)
            and find(found, "It") is it
            and find(found, "Another") is None
        ):
            wrong.append((told, trouble, found))
    assert not wrong, "\n".join(map(repr, wrong))


def test_those_that_are_alike_and_well_are_together() -> None:
    workers: list[Body] = [{"name": f"W{place}", "class_name": "Worker"} for place in range(9)]
    workers[4]["status"] = "restarting"
    pool: Body = {"name": "Pool", "class_name": "Pool"}
    supervisors: list[Body] = [{"name": f"S{it}", "children": [pool]} for it in range(4)]
    found = root({"name": "Root", "children": [pool, *workers, *supervisors]})
    names = [[it.name for it in group] for group in found.rows]
    assert names == [
        ["Pool"],
        ["W0", "W1", "W2", "W3"],
        ["W4"],
        ["W5", "W6", "W7", "W8"],
        ["S0"],
        ["S1"],
        ["S2"],
        ["S3"],
    ]


def test_a_tree_is_bounded_whatever_was_written() -> None:
    wide = root({"name": "Root", "children": [{"name": "It"}] * (2 * MOST_ACTORS)})
    assert wide.size == MOST_ACTORS
    deep: Body = {"name": "It"}
    for _ in range(2 * DEEPEST):
        deep = {"name": "It", "children": [deep]}
    assert root(deep).size == DEEPEST + 1
    keys = [it.key for it in walk(root({"children": [{}, {"children": [{}]}]}))]
    assert keys == ["t", "t-0", "t-1", "t-1-0"]


def test_what_is_no_tree_is_none() -> None:
    for body in ({}, {"tree": []}, {"tree": None, "crashes": {}}, {"crashes": [7, "x"]}):
        assert read_tree(body, NOW).root is None
        assert read_tree(body, NOW).crashes == ()
    odd: Body = {"name": 7, "children": [3, {"uptime": "x", "since": [], "mailbox_length": 1e300}]}
    [child] = root(odd).children
    assert (child.uptime, child.busy_seconds, child.mailbox_length) == (None, None, 0)


def test_crashes_are_reported_with_their_moment_if_it_is_one() -> None:
    times = ["2026-03-10T12:00:00+00:00", 1.5e9, "soon", 1e300, None]
    reports = [{"at": at, "actor": "It", "reason": "why", "text": "how"} for at in times * 9]
    crashes = read_tree({"crashes": reports}, NOW).crashes
    assert len(crashes) == MOST_CRASHES
    assert [it.at is not None for it in crashes[:5]] == [True, True, False, False, False]


def test_an_actor_that_did_not_answer_has_no_state() -> None:
    assert read_actor({"sys_state": "busy", "state": None}).state is None
    shown = read_actor({"state": "x" * 200_000, "links": ["a", 7, None], "calls": 3})
    assert (len(shown.state or ""), shown.state_cut) == (100_000, 100_000)
    assert (shown.links, shown.counts["calls"], shown.counted_for) == (("a", "7"), 3, None)
