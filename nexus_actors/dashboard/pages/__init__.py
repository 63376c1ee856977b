"""The pages, in the order of the navigation. Modules and templates have the pages' names."""

from typing import Final

from nexus_actors.dashboard.pages import (
    control,
    database,
    letters,
    money,
    overview,
    request,
    requests,
    slow,
    tree,
)
from nexus_actors.dashboard.request_filter import NAMES
from nexus_actors.dashboard.visit import Page

_LETTERS: Final = ("reason", "provider", "begin", "after")

PAGES: Final = (
    Page("/", "Overview", overview.show, ("window",), live=True),
    Page("/requests", "Requests", requests.show, ("id", *NAMES, "after", "at"), live=True),
    Page("/request", None, request.show, ("id",), live=True, under="/requests"),
    Page("/request/messages", None, request.show_messages, ("id",), under="/requests"),
    Page("/slow", "Why slow?", slow.show, live=True),
    Page("/letters", "Dead letters", letters.show, _LETTERS, live=True),
    Page("/letter", None, letters.show_one, ("number",), live=True, under="/letters"),
    Page("/letter/request", None, letters.show_request, ("number",), under="/letters"),
    Page("/money", "Money", money.show, ("period",), live=True),
    Page("/tree", "Tree", tree.show, ("node", "actor"), live=True),
    Page("/control", "Control", control.show, live=True),
    Page("/config", None, control.show_config, ("filter", "only"), under="/control"),
    Page(
        "/audit",
        None,
        control.show_audit,
        ("by", "action", "control", "acts"),
        under="/control",
    ),
    Page("/database", "Database", database.show),
)
