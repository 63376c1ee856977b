"""The live supervision tree of one node, and one of its actors."""

from dataclasses import dataclass

import trio

from nexus_actors.contract.shown_text import printable
from nexus_actors.dashboard.visit import PageError, View, Visit
from nexus_actors.monitoring.nodes import NodeLine, Sight, look, read_nodes, read_orders
from nexus_actors.monitoring.tree import Actor, ActorState, Tree, find, read_actor, read_tree
from nexus_actors.storage.errors import StorageRefused

_LONGEST_ACTOR = 255


@dataclass(frozen=True, slots=True)
class Answer:
    """A node's last sight; `trouble` is a line about what is wrong, if anything."""

    sight: Sight | None
    trouble: str | None


async def show(visit: Visit) -> View:
    """The tree of a node, or one of its actors. Each view makes the node show it for another ten
    seconds."""
    nodes = await read_nodes(visit.reader)
    node = _chosen(visit, nodes)
    values: dict[str, object] = {"nodes": nodes, "node": node}
    if node is None:
        empty: dict[str, object] = {"answer": None, "tree": None, "crashes": (), "orders": []}
        return View("tree.html", "Tree", {**values, **empty})
    name = visit.text("actor")
    if len(name) > _LONGEST_ACTOR:
        raise PageError(400, f"actor: expected {_LONGEST_ACTOR} characters at most")
    answer = await _look(visit, node, "tree")
    tree = await _tree(answer.sight)
    crashes = () if tree is None else tree.crashes
    orders = await read_orders(visit.reader, node.node)
    values |= {"answer": answer, "tree": tree, "crashes": crashes, "orders": orders}
    if not name:
        return View("tree.html", "Tree", values)
    values["crashes"] = [it for it in crashes if it.actor == name]
    actor = find(tree.root, name) if tree is not None and tree.root is not None else None
    return View(
        "actor.html",
        f"Actor {printable(name, 60)}",
        {**values, **await _actor(visit, node, name, actor)},
    )


def _chosen(visit: Visit, nodes: list[NodeLine]) -> NodeLine | None:
    """The requested node, else the first; None if there are none. Raises PageError."""
    wanted = visit.text("node")
    if not wanted:
        return nodes[0] if nodes else None
    found = next((it for it in nodes if it.node == wanted), None)
    if found is None:
        raise PageError(404, "there is no such node; choose one at /tree")
    return found


async def _look(visit: Visit, node: NodeLine, what: str) -> Answer:
    try:
        sight = await look(visit.reader, node.node, what, visit.viewer.by)
    except StorageRefused as error:  # an old release, or too many sights
        return Answer(None, str(error))
    if not node.is_there:
        return Answer(sight, f"the node is {node.state}; below is its last report, if any")
    if sight is None:
        return Answer(None, "the node has not answered yet; it should within a second")
    if not sight.is_fresh:
        return Answer(sight, "the node does not answer; this is its last report")
    return Answer(sight, sight.error)


async def _tree(sight: Sight | None) -> Tree | None:
    """Parse in a thread, since thousands of actors take long."""
    if sight is None:
        return None
    return await trio.to_thread.run_sync(read_tree, sight.body, sight.at.timestamp())


async def _actor(visit: Visit, node: NodeLine, name: str, actor: Actor | None) -> dict[str, object]:
    seen = await _look(visit, node, f"actor {name}")
    state: ActorState | None = None
    if seen.sight is not None and seen.sight.error is None:
        state = read_actor(seen.sight.body)
    return {"name": name, "actor": actor, "seen": seen, "state": state}
