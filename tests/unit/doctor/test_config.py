"""Broken configs, and what `nexus doctor` says of each."""

from pathlib import Path

import pytest

from nexus_actors.doctor import limits
from nexus_actors.doctor.examine import NAMES
from tests.doctors import ECHO, House, assert_result

KEY = "sk-canary-0123456789"


@pytest.fixture
def house(tmp_path: Path) -> House:
    return House(tmp_path)


async def test_every_mistake_of_a_config_is_told_with_its_line(house: House) -> None:
    house.configure("[queue]\nbach_size = 1\nmax_attempts = 0\n" + ECHO)
    first, second = await house.look("config")
    assert_result(first, "wrong", f"{house.file}:6: queue.bach_size", "did you mean batch_size?")
    assert_result(second, "wrong", "queue.max_attempts: found 0", "expected")
    *cause, told = await house.look("routes")
    assert cause == [first, second]  # or an exit code of 0 would hide it
    assert_result(told, "not checked", "see config")


async def test_what_a_wrong_config_keeps_from_being_looked_at_is_said(house: House) -> None:
    house.file.write_text("[queue")
    found = await house.look()
    assert [it.check for it in found if it.check not in ("config", "packages")] == list(NAMES[2:])
    assert {it.verdict for it in found[2:]} == {"not checked"}


async def test_warnings_are_advice(house: House) -> None:
    house.configure(ECHO + "[queue]\nvisibility_timeout = 3\n")
    told = await house.find("config")
    assert_result(told, "advice", "queue.visibility_timeout: 3 s is short", str(house.file))


async def test_that_no_provider_has_a_key_is_told_with_the_variables_to_set(house: House) -> None:
    house.file.write_text(f'[service]\ndata_dir = "{house.file.parent / "data"}"\n')
    told = await house.find("config", environ={})
    assert_result(told, "advice", "in this environment, no provider has a key", "set one")
    assert "one that runs may have keys of its own" in (told.leads_to or "")
    assert str(house.file) not in told.fix  # the keys stand in no file
    routes = await house.find("routes", environ={})
    assert_result(routes, "ok", "echo stands in for all configured routes, since no provider has")


async def test_a_password_that_everybody_can_read_is_told_and_not_shown(house: House) -> None:
    house.configure(url="postgresql://u:hunter2@h/d")
    house.file.chmod(0o644)
    told = await house.find("config")
    assert_result(told, "advice", "everybody on this machine can read", f"chmod 640 {house.file}")
    assert "hunter2" not in repr(told)
    house.file.chmod(0o600)
    assert_result(await house.find("config"), "ok", "valid; database from [database] url")


async def test_what_no_route_takes_is_told(house: House) -> None:
    house.configure(
        '[providers.e]\nkind = "echo"\n[[routes]]\ncomplexity = "medium"\nmodels = ["e/m"]'
    )
    told = await house.find("routes")
    assert_result(told, "advice", "complexity simple, complex", 'complexity = "*"')
    assert_result(await house.find("config"), "ok", "valid")


async def test_names_that_are_misspelt_are_told(house: House) -> None:
    house.configure('[[routes]]\nmodels = ["openai/gpt-6.1-soll", "anthropic/claude-sonnet-5-5"]\n')
    (misspelt,) = await house.look("routes", environ={"OPENAI_API_KEY": KEY})
    assert_result(misspelt, "advice", "openai/gpt-6.1-soll", "did you mean openai/gpt-6.1-sol?")


async def test_a_budget_that_refuses_what_has_no_price_is_told(house: House) -> None:
    house.configure('[[routes]]\nmodels = ["openai/in-no-list"]\n[budgets.day]\ndollars = 1\n')
    told = await house.find("budgets", environ={"OPENAI_API_KEY": KEY})
    assert_result(told, "advice", "refuses every call to openai/in-no-list", "unknown_price")


async def test_keys_that_lack_or_are_none_are_told_without_a_character_of_them(
    house: House, tmp_path: Path
) -> None:
    file = tmp_path / "openai.key"
    file.write_text(KEY)
    file.chmod(0o644)
    house.configure(
        f'[providers.openai]\napi_key_file = "{file}"\napi_key_env = []\n'
        '[providers.groq]\napi_key_file = "groq"\napi_key_env = []\n'
        '[providers.anthropic]\ntimeout = 30.0\n[providers.e]\nkind = "echo"\n'
        '[[routes]]\nmodels = ["e/m", "gemini/g", "openai/o", "anthropic/a"]\n'
    )
    found = await house.look("keys", environ={"GEMINI_API_KEY": f'"{KEY}"'})
    told = {it.finding.subject: it for it in found}
    assert_result(told["e"], "ok", "needs none")
    assert_result(told["openai"], "advice", "can be read by others", f"chmod 600 {file}")
    assert_result(told["anthropic"], "advice", "ANTHROPIC_API_KEY is not set", "set ANTHROPIC")
    assert_result(told["gemini"], "wrong", "has quotation marks around it", "docs/keys.md")
    beside = house.file.parent / "credentials/groq"
    assert_result(told["groq"], "advice", "no such file", f"install -m 600 /dev/stdin {beside}")
    assert KEY not in repr(found)


async def test_one_missing_key_is_one_piece_of_advice_that_names_every_route(house: House) -> None:
    house.configure(
        '[providers.work]\nkind = "openai"\napi_key_env = "OPENAI_API_KEY"\n'
        '[providers.e]\nkind = "echo"\n'
        '[[routes]]\ncomplexity = "complex"\nmodels = ["openai/gpt-5", "work/gpt-5", "e/m"]\n'
        '[[routes]]\nmodels = ["work/gpt-5-mini", "e/m"]\n'
    )
    found = await house.look("config", "keys", "routes", environ={})
    (told,) = [it for it in found if it.verdict != "ok"]
    assert_result(told, "advice", "OPENAI_API_KEY is not set", "set OPENAI_API_KEY where")
    assert told.finding.subject == "openai, work"
    assert told.leads_to == (
        "it is left out: routes[0] does without openai/gpt-5, work/gpt-5; routes[1] does without"
        " work/gpt-5-mini"
    )


async def test_a_built_in_provider_without_a_key_is_no_fault(house: House) -> None:
    house.configure("")
    found = await house.look("keys", "routes", environ={"OPENAI_API_KEY": KEY})
    assert {it.verdict for it in found} == {"ok"}


def test_each_worker_has_a_file_for_each_key(house: House) -> None:
    from nexus_actors.settings import Settings, load_settings

    house.configure(
        '[providers.openai]\npool_size = 10\napi_key_env = ["A_KEY", "B_KEY"]\n'
        '[[routes]]\nmodels = ["openai/o"]\n'
    )
    settings = load_settings(house.file, {"A_KEY": "abcdefghijkl", "B_KEY": "mnopqrstuvwx"})
    assert isinstance(settings, Settings)
    assert limits.files_wanted(settings) == 2 * 10 + 8 + 5 + 64
