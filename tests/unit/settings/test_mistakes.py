"""Each cause of a mistake is one line, which says what to do about it."""

from time import process_time
from typing import Any

import pytest

from nexus_actors.settings import Settings, SettingsErrors, load_settings, parse_settings
from nexus_actors.settings.toml_slips import toml_slips

ECHO: dict[str, Any] = {"providers": {"e": {"kind": "echo"}}, "routes": [{"models": ["e/m"]}]}
CREATIV = ["creativ"]
SERVER = {"kind": "openai_compatible"}


def routed(provider: dict[str, Any], **route: Any) -> dict[str, Any]:
    return {"providers": {"x": provider}, "routes": [{"models": ["x/m"], **route}]}


def lines(mapping: dict[str, Any], **environ: str) -> list[str]:
    outcome = parse_settings(mapping, environ)
    assert isinstance(outcome, SettingsErrors)
    return [line.removeprefix("config: ") for line in str(outcome).splitlines()]


CAUSES = [
    # a key that is not set, and a provider that is not there: once, however often it is named
    (
        {"routes": [{"models": ["openai/a"]}] * 4},
        [
            "routes[0].models: found only",
            "OPENAI_API_KEY is not set",
            "also in routes[1].models",
            "expected at least one model that can be reached; echo stands in only for the built-in",
        ],
    ),
    (
        {"providers": {"e": {"kind": "echo"}}},
        ["routes: found none in the file", "a key for one of them, or [[routes]] of your own"],
    ),
    (
        {
            **ECHO,
            "routes": [{"models": ["f/a", "f/b"]}, {"models": ["f/a"]}],
            "budgets": {"b": {"dollars": 1, "provider": "f"}},
        },
        ['routes[0].models[0]: found no provider "f" (also in routes[0].models[1],'],
    ),
    # a provider with a mistake is not unknown besides
    (routed({"kind": "ehco"}), ["providers.x.kind", "did you mean echo?"]),
    (routed({**SERVER, "preset": "grok"}), ["providers.x.preset", "did you mean groq?"]),
    ({**routed({}), "providers": {"x": "sk-123"}}, ["providers.x", "expected a table"]),
    (
        {"provider": {"x": {"kind": "echo"}}, "routes": [{"models": ["x/m"]}]},
        ["provider: found an unknown section", "did you mean providers?"],
    ),
    (
        {**routed({"kind": "ehco"}), "budgets": {"b": {"dollars": 1, "provider": "x"}}},
        ["providers.x.kind"],
    ),
    # what was meant
    ({**ECHO, "service": {"log_level": "warn"}}, ["did you mean warning?"]),
    ({**ECHO, "queue": {"batch_size": "100"}}, ["did you mean 100 without quotes?"]),
    ({**ECHO, "result_poller": {"enabled": "true"}}, ["did you mean true without quotes?"]),
    ({**ECHO, "queue": {"visibility_timeout": "60s"}}, ["from 1 to 43200 (seconds)"]),
    ({**ECHO, "retention": {"archive_days": "30d"}}, ["from 0 to 36500 (days)"]),
    ({**ECHO, "batch_size": 7}, ["batch_size: found a setting above", "[queue]"]),
    ({**ECHO, "routes": [{"models": ["gpt-6-luna"]}]}, ["did you mean openai/gpt-6-luna?"]),
    ({**ECHO, "budgets": {"b": {"dollars": 1, "provider": "ee"}}}, ["did you mean e?"]),
    # at the setting that is to be changed
    (routed(SERVER), ["providers.x.base_url: found nothing", "or a preset"]),
    (
        routed({**SERVER, "base_url": "host/v1"}),
        ["providers.x.base_url", "begins with https://"],
    ),
    (
        routed({**SERVER, "base_url": "http://h/v1"}),
        ['providers.x.base_url: found "http://h/v1", expected https, or allow_insecure = true'],
    ),
    (
        routed({**SERVER, "preset": "azure"}),
        ["base_url: found nothing", "https://RESOURCE.openai.azure.com/openai/v1", "azure"],
    ),
    (
        routed({**SERVER, "base_url": "https://h/v1/chat/completions"}),
        ["must end before /chat/completions"],
    ),
    (
        routed({**SERVER, "base_url": "https://h:54x2/v1"}),
        ["providers.x.base_url", "expected a port from 1 to 65535 after the host"],
    ),
    (routed({"kind": "azure"}), ['kind = "openai_compatible" with preset = "azure"?']),
    (
        {**ECHO, "budgets": {"b": {"dollars": 1, "unknown_price": "count_as"}}},
        ["count_as_dollars_per_million: found nothing", "count_as_dollars_per_million = 10.0"],
    ),
    (
        {**ECHO, "budgets": {"b": {"dollars": 1, "count_as_dollars_per_million": 1}}},
        ['budgets.b.unknown_price: found nothing, expected "count_as" beside'],
    ),
    ({**ECHO, "budgets": {"b": {"dolars": 1}}}, ["b.dolars", "did you mean dollars?"]),
    ({**ECHO, "budgets": {"dollars": 1}}, ["[budgets]: dollars", "[budgets.NAME]"]),
    (
        {**ECHO, "providers": {"e": {"kind": "echo", "models": {"m": {"input_price": 1}}}}},
        ["providers.e.models.m.output_price: found nothing"],
    ),
    # units, capitals, other languages' words
    ({**ECHO, "queue": {"visibility_timeout": "5m"}}, ["did you mean 300 without quotes?"]),
    ({**ECHO, "queue": {"poll_interval": 100_000}}, ["did you mean 100, as it counts sec"]),
    ({**ECHO, "queue": {"memory_megabytes": "2 GB"}}, ["did you mean 2000 without quotes?"]),
    ({**ECHO, "queue": {"batch_size": 8.0}}, ["did you mean 8?"]),
    ({**ECHO, "budgets": {"b": {"dollars": "$5"}}}, ["did you mean 5 without quotes?"]),
    ({**ECHO, "result_poller": {"enabled": "yes"}}, ["did you mean true without quotes?"]),
    ({**ECHO, "service": {"log_level": "INFO"}}, ["did you mean info?"]),
    # words that are no secrets, though the setting is called as one
    ({**ECHO, "queue": {"on_no_key": "wait"}}, ['found "wait", expected one of hold, fail']),
    ({**ECHO, "queue": {"on_no_key": "hunter2!"}}, ["found a value that is not shown"]),
    (routed({"kind": "echo", "on_no_key": "hold"}), ["on_no_key", "it in [queue]"]),
    # sections
    ({**ECHO, "queue": {"pool_size": 3}}, ["it in [database] or [providers.NAME]"]),
    ({**ECHO, "budget": {"b": {"dollars": 1}}}, ["did you mean budgets?"]),
    ({**ECHO, "openai": {"pool_size": 3}}, ["did you mean providers.openai?"]),
    ({**ECHO, "logging": {"log_level": "info"}}, ["did you mean service?"]),
    ({"providers": ECHO["providers"], "route": ECHO["routes"]}, ["did you mean routes?"]),
    ({**ECHO, "providers": {"kind": "echo"}}, ["[providers]: kind", "[providers.NAME]"]),
    (routed({"kind": "echo"}, nam="x"), ["routes[0].nam"]),
    (
        {"providers": {"my": {"ai": {"kind": "echo"}}}, "routes": [{"models": ["my.ai/m"]}]},
        ["providers.my.ai", "a name without dots"],
    ),
    (
        {"providers": {"My AI": {"kind": "echo"}}, "routes": [{"models": ["My AI/m"]}]},
        ["did you mean [providers.my-ai]?"],
    ),
    (
        {**ECHO, "database": {"host": "h", "password": "hunter2"}},
        ["database.host: found parts of a URL: host, password", "url = 'postgresql://"],
    ),
    ({**ECHO, "security": {"allowed_hosts": "*"}}, ['did you mean ["*"]?']),
    (routed({"kind": "echo"}, capabilities="vision"), ['did you mean ["vision"]?']),
    (routed({"kind": "claude"}), ["did you mean anthropic?"]),
    ({**ECHO, "budgets": {"My Budget": {"dollars": 1}}}, ['found "My Budget"']),
    # models
    ({**ECHO, "routes": [{"models": ["google/gemini-x"]}]}, ["did you mean gemini?"]),
    ({**ECHO, "routes": [{"models": ["e/m, e/n"]}]}, ["several models in one text"]),
    ({**ECHO, "routes": [{"models": ["e:m"]}]}, ["did you mean e/m?"]),
    ({**ECHO, "routes": [{"models": "e/m"}]}, ['did you mean ["e/m"]?']),
    ({**ECHO, "routes": [{"models": ["E/m"]}]}, ["before the first /", "did you mean e?"]),
    (
        {**ECHO, "routes": [{"models": ["e/m"], "complexity": "any"}]},
        ["did you mean *?"],
    ),
    (routed({"kind": "echo"}, pick="weightd", weights=[1]), ["did you mean weighted?"]),
    (
        routed({"kind": "echo"}, pick="weighted", weights=[1, 2]),
        ["routes[0].weights: found [1, 2]", "for each of the models, 1 in all"],
    ),
]


def test_each_cause_is_one_line_that_says_what_to_do() -> None:
    wrong = [
        (mapping, said, found)
        for mapping, said in CAUSES
        if len(found := lines(mapping)) != 1 or not all(words in found[0] for words in said)
    ]
    assert not wrong, "\n".join(map(repr, wrong))


def test_what_is_wrong_twice_is_reported_twice_and_a_name_beside_it_is_still_guessed() -> None:
    told = lines(
        {
            "providers": {"mine": {"kind": "echo", "pool_size": 0}},
            "routes": [{"models": ["mien/m"]}],
            "budgets": {"b": {"dollars": -1, "per": "week", "unknown_price": "count_as"}},
        }
    )
    assert len(told) == 5
    told += lines({"queue": {"batch_size": 0}, "routes": [{"models": ["openai/a"]}]})
    assert "OPENAI_API_KEY is not set" in told[-1]
    (guessed,) = [it for it in told if "mien" in it]
    assert guessed.endswith("did you mean mine?")


@pytest.mark.parametrize("key", ["sk-proj-Hunter2Hunter2", "gsk_Hunter2Hunter2"])
def test_a_key_that_stands_as_a_name_is_not_shown(key: str) -> None:
    mappings: tuple[dict[str, Any], ...] = (
        {key: {}},
        {"providers": {key: {}}},
        {"providers": {"openai": {key: "x"}}},
    )
    for mapping in mappings:
        assert "unter2" not in "".join(lines(mapping)).lower()


def test_each_mistake_of_a_file_has_its_line(tmp_path: Any) -> None:
    file = tmp_path / "nexus.toml"
    file.write_text(
        '# a\n[queue]\nbatch_size = 0\n[providers.x]\nkind = "echo"\n'
        '[providers.x.models."m.1"]\ninput_price = 3\n'
        '[[routes]]\nmodels = ["x/m"]\n[[routes]]\nmodels = [\n  "xx/m",\n]\n'
    )
    told = str(load_settings(file, {})).splitlines()
    for line, path in ((3, "queue.batch_size"), (6, "providers.x.models"), (11, "routes[1]")):
        assert any(it.startswith(f"{file}:{line}: {path}") for it in told), told
    assert len(told) == 3


def test_the_mistakes_of_a_file_stand_in_the_order_of_its_lines(tmp_path: Any) -> None:
    file = tmp_path / "nexus.toml"
    file.write_text(
        "[queue]\nbatch_size = 0\n[provider.mine]\nkind = 'echo'\n[[route]]\nmodels = ['mine/m']\n"
        "[service]\nlog_level = 'loud'\nname = 3\n"
    )
    told = str(load_settings(file, {"NEXUS_BATCH_SIZE": "many"})).splitlines()
    assert [it.removeprefix(f"{file}:").partition(": found")[0] for it in told] == [
        "2: queue.batch_size",
        "3: provider",
        "5: route",
        "8: service.log_level",
        "9: service.name",
        "environment: NEXUS_BATCH_SIZE",
    ]


def test_what_stands_below_a_misspelt_section_is_reported_with_it() -> None:
    told = lines(
        {
            "provider": {"mine": {"kind": "ehco"}, "other": {"kind": "echo", "pool_size": 0}},
            "route": [{"models": ["mine/m"], "complexity": "easy"}, {"models": ["ohter/m"]}],
        }
    )
    assert sorted(it.partition(": found")[0] for it in told) == [
        "provider",
        "provider.mine.kind",
        "provider.other.pool_size",
        "route",
        "route[0].complexity",
        "route[1].models[0]",
    ]


@pytest.mark.parametrize(
    ("kind", "given", "wrong"),
    [
        ("opnai", {"pool_sise": 1, "timeout": -1, "base_url": "x"}, "pool_sise timeout base_url"),
        ("openai-compatible", {"base_url": "https://h/v1", "preset": "no"}, "preset"),
        ("openai-compatible", {"headers": {"Authorization": "x"}}, "headers"),
        ("groq", {"presett": "groq", "preset": "groq", "pool_size": "8"}, "presett pool_size"),
        ("custom", {"base_url": "x", "free": "yes", "model_file": 5}, "base_url free"),
        ("lokal", {"model_file": 5, "base_url": "x"}, "model_file"),
        (5, {"latency": -1, "pool_size": 0, "nonsense": 1}, "pool_size nonsense"),
    ],
)
def test_a_wrong_kind_hides_nothing_else_of_its_table(
    kind: object, given: dict[str, Any], wrong: str
) -> None:
    told = lines(routed({"kind": kind, **given}))
    paths = {it.partition(": found")[0] for it in told}
    assert paths == {f"providers.x.{name}" for name in ("kind", *wrong.split())}


def test_a_variable_that_is_set_under_nearly_the_same_name_is_reported() -> None:
    mapping = {
        "providers": {"openai": {"api_key_env": "OPENAI_KEY"}},
        "routes": [{"models": ["openai/a"]}],
    }
    (line,) = lines(mapping, OPENAI_API_KEY="hunter2")
    assert line.endswith("did you mean OPENAI_API_KEY?")
    assert "hunter2" not in line


@pytest.mark.parametrize(
    ("mapping", "environ", "warned"),
    [
        (ECHO, {"NEXUS_BATCHSIZE": "7"}, "did you mean NEXUS_BATCH_SIZE?"),
        (ECHO, {"NEXUS_SOMETHING_ELSE": "7"}, None),
        (
            {
                **ECHO,
                "routes": [{"models": ["e/m"]}, {"models": ["e/m"], "capabilities": ["creativ"]}],
            },
            {},
            "did you mean creative?",
        ),
        (
            {**ECHO, "routes": [{"models": ["e/m"]}, *[{"models": ["e/m"], "agent": "a*"}] * 2]},
            {},
            "routes[2] is never used: routes[1] is for the same requests",
        ),
        ({**ECHO, "queue": {"visibility_timeout": 1}}, {}, "15 or more outlast it"),
        ({**ECHO, "queue": {"visibility_timeout": 15}}, {}, None),
        ({**ECHO, "database": {"statement_timeout": 41}}, {}, "61.5 or more outlast it"),
    ],
)
def test_what_is_no_mistake_but_hardly_meant_is_a_warning(
    mapping: dict[str, Any], environ: dict[str, str], warned: str | None
) -> None:
    outcome = parse_settings(mapping, environ)
    assert isinstance(outcome, Settings), outcome
    assert [warned in it for it in outcome.warnings if warned] == ([True] if warned else [])


NO_TOML = [
    ("[queue]\nbatch_size = 1\nbatch_size = 2\n", "expected each key, and each [table], once"),
    ("[queue]\n[queue]\n", "expected each key, and each [table], once"),
    ("[service]\nlog_level = info\n", "no TOML at line 2, column 16"),
    ("[service\n", "no TOML at line 1, column 9"),
    ("\n[result_poller]\nenabled = False\n", ":3: found no TOML at line 3, column 11: enabled"),
    ("[result_poller]\nenabled = False\n", "= False, expected false, in lower-case"),
    ("[result_poller]\nenabled = True # on\n", "expected true, in lower-case letters"),
    ("[queue]\nbatch_size = None\n", "expected no line at all for what is not set"),
    ("[service]\nlog_level = info\n", 'text in quotation marks: log_level = "text"'),
    ("[service]\ndata_dir = /srv/n\n", "data_dir = /srv/n, expected text in quotation"),
    ("[service]\nname = “n”\n", "straight quotation marks"),
    ('[service]\nname = "n\n', "the closing"),
    ('[service]\ndata_dir = "C:\\data"\n', "single quotation marks"),
    ("[queue]\nvisibility_timeout = 60s\n", "a number without its unit s"),
    ("[queue]\nbatch_size = 1,000\n", "expected 1000"),
    ("[queue]\nbatch_size 3\n", "batch_size 3, expected a = between name and value"),
    ("[queue]\nbatch_size: 3\n", "batch_size: 3, expected a = between name and value"),
    ("[queue]\nbatch_size = 3;\n", "no ; at the end of the line"),
    ("[queue]\n// what\n", "# before a comment"),
    ('{"queue": {}}', "which is no JSON"),
    ("[queue]\n[service]\n[queue]\n", "[queue] stands on line 1 already"),
    ("[queue]\nbatch_size = 1\nbatch_size = 2\n", "batch_size stands on line 2 already"),
    ('[[routes]]\nmodels = ["a/b" "a/c"]\n', "commas between its items"),
    ("[providers.my prov]\n", "quotes around a name with other signs"),
    ("[providers.my prov]\n", "has no others: [providers.my-prov]"),
    ("[providers.a.models.b/c-4.1]\n", 'and _: [providers.a.models."b/c-4.1"]'),
]


def test_what_is_no_toml_is_reported_with_its_place(tmp_path: Any) -> None:
    file = tmp_path / "nexus.toml"
    wrong = []
    for text, said in NO_TOML:
        file.write_text(text)
        found = str(load_settings(file, {})).splitlines()
        if len(found) != 1 or said not in found[0]:
            wrong.append((text, said, found))
    assert not wrong, "\n".join(map(repr, wrong))


def test_all_lines_that_are_no_toml_are_reported_at_once_and_no_secret(tmp_path: Any) -> None:
    file = tmp_path / "nexus.toml"
    file.write_text(
        "[database]\nurl = postgresql://u:hunter2@h/d\n[x]\npw = hunter2\nhunter2\n"
        "[service]\nname = sk-hunter2\nlog_level = info\nbad = [hunter2\n"
    )
    told = str(load_settings(file, {})).splitlines()
    assert [it.removeprefix(f"{file}:").partition(":")[0] for it in told][:5] == list("24578")
    assert "hunter2" not in str(told)


def test_a_wrong_header_hides_no_other_line(tmp_path: Any) -> None:
    file = tmp_path / "nexus.toml"
    file.write_text(
        "[queue]\nbatch_size = 1\n[my queue]\nbatch_size = 2\n[[routes]\n[queue]\n[a]\nx = yes\n"
    )
    told = str(load_settings(file, {})).splitlines()
    assert [it.removeprefix(f"{file}:").partition(":")[0] for it in told] == list("3568")


def test_of_a_line_as_long_as_a_file_little_is_looked_at() -> None:
    """With all of it, the patterns took a minute of CPU."""
    began = process_time()
    (slip,) = toml_slips("[" * 100_000, ())
    assert len(slip.found) < 200
    assert process_time() - began < 5


@pytest.mark.parametrize(
    ("encoding", "said"), [("utf-8-sig", None), ("utf-16", "UTF-16"), ("utf-16-le", "UTF-16")]
)
def test_a_file_of_another_editor_is_read_or_its_encoding_named(
    encoding: str, said: str | None, tmp_path: Any
) -> None:
    file = tmp_path / "nexus.toml"
    file.write_text('[service]\nname = "mine"\n', encoding=encoding)
    outcome = load_settings(file, {})
    if said is None:
        assert isinstance(outcome, Settings)
        assert outcome.service.name == "mine"
    else:
        assert said in str(outcome)
