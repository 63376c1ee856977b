"""What whoever may operate does: each asks once, is done, and is on record by name."""

import json
import re

from playwright.sync_api import Locator, expect

from tests.browser.looks import Eyes
from tests.browser.site import Site

WHO = "olga via dashboard"


def row(eyes: Eyes, name: str) -> Locator:
    """The row of this header."""
    return eyes.page.get_by_role("row").filter(
        has=eyes.page.get_by_role("rowheader", name=re.compile(f"^{re.escape(name)}"))
    )


def confirm(eyes: Eyes, verb: str) -> None:
    """The page asks; it is wanted; the page before says that it is done."""
    expect(eyes.page.locator("#question")).to_be_visible()
    assert eyes.axe() == []
    eyes.page.get_by_role("button", name=verb, exact=True).click()
    expect(eyes.page.locator("p.message")).to_be_visible()


def test_a_pool_is_paused_resized_and_resumed(eyes: Eyes, site: Site) -> None:
    eyes.open("/control")
    row(eyes, "groq").get_by_role("link", name="Pause").click()
    eyes.page.get_by_label("Why").fill("incident 4711")
    confirm(eyes, "Pause")
    expect(row(eyes, "groq")).to_contain_text("paused")
    found = site.rows("SELECT by, why FROM nexus.control WHERE action = 'pause' AND name = 'groq'")
    assert found == [{"by": WHO, "why": "incident 4711"}]
    row(eyes, "groq").get_by_role("link", name="Scale").click()
    eyes.page.get_by_label("Concurrent calls").fill("3")
    eyes.page.get_by_role("button", name="Show as SQL and command").click()
    expect(eyes.page.get_by_label("Command")).to_contain_text("nexus scale groq 3")
    confirm(eyes, "Scale")
    site.until(
        "SELECT bool_or(concurrency ->> 'groq' = '3') FROM nexus.node_states WHERE state = 'ready'"
    )
    row(eyes, "groq").get_by_role("link", name="Resume").click()
    confirm(eyes, "Resume")
    expect(row(eyes, "groq")).to_contain_text("not paused")
    eyes.open("/audit")
    expect(eyes.page.get_by_role("row").filter(has_text=WHO)).not_to_have_count(0)
    expect(eyes.page.locator("main")).to_contain_text("incident 4711")


def test_a_running_request_is_cancelled(eyes: Eyes, site: Site) -> None:
    site.send("to-cancel", complexity="complex")
    site.until("SELECT bool_or(request_id = 'to-cancel') FROM nexus.requests")
    eyes.open("/request?id=to-cancel")
    eyes.page.get_by_role("link", name="Cancel", exact=True).click()
    confirm(eyes, "Cancel")
    site.until("SELECT error_type = 'cancelled' FROM nexus.requests WHERE request_id = 'to-cancel'")
    expect(eyes.page.locator("#facts")).to_contain_text("cancelled")
    assert site.value("SELECT by FROM nexus.audit WHERE action = 'cancel'") == WHO


def test_a_dead_letter_is_edited_and_retried_and_its_request_ends_well(
    eyes: Eyes, site: Site
) -> None:
    site.send("to-edit", messages=[{"role": "user"}])
    site.until(
        "SELECT count(*) = 1 FROM pgmq.q_ai_requests_dead"
        " WHERE message ->> 'request_id' = 'to-edit'"
    )
    eyes.open("/letters?reason=invalid_request")
    letter = eyes.page.locator("#letters").get_by_role("row").filter(has_text="to-edit")
    letter.get_by_role("link").first.click()
    eyes.page.get_by_role("link", name="Edit its request").click()
    field = eyes.page.locator("textarea")
    asked = json.loads(field.input_value())
    field.fill(json.dumps(asked)[:-1])
    eyes.page.get_by_role("button", name="Edit the request", exact=True).click()
    expect(eyes.page.get_by_role("alert")).to_contain_text("line 1")
    asked["messages"] = [{"role": "user", "content": "as it was meant"}]
    eyes.page.locator("textarea").fill(json.dumps(asked))
    eyes.page.get_by_role("button", name="Edit the request", exact=True).click()
    expect(eyes.page.locator("p.message")).to_be_visible()
    eyes.page.get_by_role("link", name="Retry", exact=True).click()
    confirm(eyes, "Retry")
    site.until(
        "SELECT count(*) = 1 FROM nexus.requests"
        " WHERE 'to-edit' IN (request_id, retry_of) AND state = 'done'"
    )
    done = site.rows("SELECT action, by, detail::text FROM nexus.audit WHERE by = $1", WHO)
    edit = next(it for it in done if it["action"] == "edit" and "messages" in it["detail"])
    assert "as it was meant" not in json.dumps([it["detail"] for it in done])
    assert json.loads(edit["detail"])["changed"] == ["messages"]
    # To the console it is an error of the network that a form is refused, and a letter gone.
    assert [it for it in eyes.wrong if not re.search("status of 40[04]", it)] == []
    eyes.wrong.clear()


def test_the_tree_changes_when_an_actor_is_killed(eyes: Eyes, site: Site) -> None:
    node = site.value("SELECT node FROM nexus.node_states WHERE state = 'ready'")
    eyes.open(f"/tree?node={node}")
    link = eyes.page.get_by_role("link", name="Router", exact=True)
    router = eyes.page.locator(".tree li").filter(has=link).last
    expect(router).to_contain_text("restarts 0")
    site.rows("SELECT nexus.command($1, 'restart', 'Router', now => true)", node)
    expect(router).to_contain_text("restarts 1")
    router.get_by_role("link", name="Router").click()
    expect(eyes.page.locator("#actor")).to_contain_text("Router on")
    eyes.page.get_by_role("link", name="Restart", exact=True).click()
    confirm(eyes, "Restart")
    site.until(
        "SELECT count(*) = 1 FROM nexus.commands"
        " WHERE by = $1 AND actor = 'Router' AND ended_at IS NOT NULL",
        WHO,
    )


def test_an_action_is_reached_and_used_by_the_keyboard_alone(eyes: Eyes, site: Site) -> None:
    eyes.open("/control")
    press = eyes.page.keyboard.press
    focused = "() => document.activeElement.getAttribute('href') || document.activeElement.name"
    press("Tab")
    assert eyes.page.evaluate(focused) == "#main"  # past the navigation, if one likes
    press("Enter")
    for _ in range(60):
        press("Tab")
        here = eyes.page.evaluate(focused) or ""
        if here.startswith("/act/pause?subject=provider&name=gemini"):
            break
    else:
        raise AssertionError("no Tab led to the action")
    outline = "() => getComputedStyle(document.activeElement).outlineStyle"
    assert eyes.page.evaluate(outline) != "none"
    press("Enter")
    expect(eyes.page.locator("#question")).to_be_visible()
    for _ in range(60):
        press("Tab")
        if eyes.page.evaluate(focused) == "token":
            break
    press("Enter")
    expect(eyes.page.locator("p.message")).to_be_visible()
    assert site.value("SELECT count(*) FROM nexus.control WHERE name = 'gemini'") == 1
    site.rows("SELECT nexus.resume('provider', 'gemini')")
