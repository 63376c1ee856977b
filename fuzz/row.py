"""Rows as producers can write them by SQL: by `pgmq.send`, or into the table. Values only.

What is made by SQL is small to send and large to read: numbers with 131,072 digits, texts that
compress to nothing, a list of a million.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Final

from hypothesis import strategies as st

from fuzz.bases import CHAT_ANSWER, CHAT_EVENTS, ERRORS, REQUESTS
from fuzz.mutate import Change, Cut, changed, changes, cut, cuts, json_text

USER: Final = '{"role": "user", "content": "hello"}'
MADE: Final[Mapping[str, str]] = {
    "huge numbers": "jsonb_build_object('n', (SELECT jsonb_agg('1e131071'::numeric)"
    " FROM generate_series(1, $2)))",
    "a huge number inside": "jsonb_build_object('metadata', jsonb_build_object('a', jsonb_agg("
    "'1e131071'::numeric))) FROM generate_series(1, $2)",
    "long fractions": "jsonb_build_object('temperature', 0.5, 'n', (SELECT jsonb_agg("
    "'1e-16383'::numeric) FROM generate_series(1, $2)))",
    "a long text": "jsonb_build_object('messages', jsonb_build_array("
    "jsonb_build_object('role', 'user', 'content', repeat('a', 1000 * $2))))",
    "a long id": "jsonb_build_object('request_id', repeat('i', $2))",
    "a long name": "jsonb_build_object(repeat('k', 100 * $2), 1)",
    "keys": "(SELECT jsonb_object_agg('k' || i, i) FROM generate_series(1, $2) AS i)",
    "numbers far down": "jsonb_build_object('metadata', (repeat('[', 95) ||"
    " repeat('1,', 100 * $2) || '1' || repeat(']', 95))::jsonb)",
    "lists in lists": "jsonb_build_object('metadata', (repeat('[', least($2, 3000)) ||"
    " repeat(']', least($2, 3000)))::jsonb)",
    "messages": "jsonb_build_object('messages', (SELECT jsonb_agg(jsonb_build_object('role',"
    " CASE i % 2 WHEN 0 THEN 'user' ELSE 'assistant' END, 'content', 'm' || i))"
    " FROM generate_series(1, $2) AS i))",
    "pictures": "jsonb_build_object('messages', jsonb_build_array(jsonb_build_object('role',"
    ' \'user\', \'content\', (SELECT jsonb_agg(\'{"type": "image_url", "image_url":'
    ' {"url": "data:image/png;base64,AAAA"}}\'::jsonb) FROM generate_series(1, $2)))))',
    "hosts": "jsonb_build_object('messages', jsonb_build_array(jsonb_build_object('role',"
    " 'user', 'content', (SELECT jsonb_agg(jsonb_build_object('type', 'image_url', 'image_url',"
    " jsonb_build_object('url', 'https://h' || i || '.invalid/x')))"
    " FROM generate_series(1, least($2, 300)) AS i))), 'timeout', 5000)",
    "calls": "jsonb_build_object('input', (SELECT jsonb_agg(jsonb_build_object('type',"
    " 'function_call', 'call_id', 'c' || i, 'name', 'f', 'arguments', '{}'))"
    " FROM generate_series(1, $2) AS i)) - 'messages'",
    "tools": "jsonb_build_object('tools', (SELECT jsonb_agg(jsonb_build_object('type', 'function',"
    " 'name', 'f' || i)) FROM generate_series(1, $2) AS i))",
    "surrogates": "jsonb_build_object('agent_id', repeat(chr(128512), $2),"
    " 'user', repeat(chr(8238), $2))",
    "a long previous id": "jsonb_build_object('previous_response_id', repeat('p', 1000 * $2),"
    " 'retry_of', repeat('r', 1000 * $2))",
}
"""SQL of what is laid over a good request; $2 says how often."""
SIZES: Final = (1, 7, 300)
LARGE: Final = (3_000, 9_000)

IDENTITY: Final = (
    "CASE WHEN jsonb_typeof(message -> 'request_id') = 'string' THEN message ->> 'request_id'"
    " WHEN jsonb_typeof(message -> 'request' -> 'request_id') = 'string'"
    " THEN message -> 'request' ->> 'request_id' END"
)
"""SQL of what identifies a message."""
INSERT: Final = (
    "INSERT INTO pgmq.q_ai_requests (msg_id, read_ct, enqueued_at, vt, message, headers)"
    " OVERRIDING SYSTEM VALUE SELECT {msg_id}, {read_ct}, {enqueued_at}, {vt}, b.body, {headers}"
    " FROM ({body}) AS b (body) RETURNING msg_id,"
    f" left({IDENTITY}, 300)"
)
PLAIN: Final[Mapping[str, str]] = {
    "msg_id": "nextval(pg_get_serial_sequence('pgmq.q_ai_requests', 'msg_id'))",
    "read_ct": "0",
    "enqueued_at": "now()",
    "vt": "clock_timestamp()",
    "headers": "NULL",
}
ARCHIVED: Final = (
    "coalesce((SELECT max(msg_id) FROM pgmq.a_ai_requests AS a WHERE NOT EXISTS"
    " (SELECT FROM pgmq.q_ai_requests AS q WHERE q.msg_id = a.msg_id)), -77)"
)
COLUMNS: Final[Mapping[str, Mapping[str, str]]] = {
    "read_ct is the largest": {"read_ct": "2147483647"},
    "read_ct is nearly the largest": {"read_ct": "2147483645"},
    "read_ct is negative": {"read_ct": "-2147483648"},
    "enqueued in the year 294000": {"enqueued_at": "'294000-01-01'::timestamptz"},
    "enqueued before Christ": {"enqueued_at": "'4713-01-01 BC'::timestamptz"},
    "enqueued at no time": {"enqueued_at": "'infinity'::timestamptz"},
    "enqueued before all time": {"enqueued_at": "'-infinity'::timestamptz"},
    "visible before all time": {"vt": "'-infinity'::timestamptz"},
    "visible before Christ": {"vt": "'4713-01-01 BC'::timestamptz"},
    "visible soon": {"vt": "clock_timestamp() + interval '0.2 s'"},
    "its id is in the archive": {"msg_id": ARCHIVED},
    "its id is negative": {"msg_id": "-1 - (random() * 1e15)::bigint"},
    "its id is far ahead": {"msg_id": "(4e18 + random() * 1e15)::bigint"},
    "headers": {"headers": """'{"x": [1e300, "\\\\u202e"]}'::jsonb"""},
    "long headers": {"headers": "to_jsonb(repeat('h', 100000))"},
}
SENDS: Final[Mapping[str, str]] = {
    "send": "SELECT pgmq.send('ai_requests', ({body})::jsonb)",
    "delay": "SELECT pgmq.send('ai_requests', ({body})::jsonb, -1000000000)",
    "batch": "SELECT * FROM pgmq.send_batch('ai_requests', ARRAY[({body})::jsonb])",
}
IDS: Final = (
    "{}",
    "[/x]{}",
    "\x1b]0;owned\x07\x1b[2J{}\r\n\u202e",
    "'; DROP TABLE nexus.requests; --%s{}",
    "{}" + "é" * 200,
    "{}" + "x" * 300,
    "",
    " ",
)


@dataclass(frozen=True, slots=True)
class Row:
    """One row, and what the provider answers it."""

    base: int
    steps: tuple[Change, ...]
    way: str
    """One of `SENDS` or `COLUMNS`, or `null` for no message at all."""
    identity: str
    twice: bool
    """The id of the row before it."""
    made: tuple[str, int] | None
    """Of `MADE`, laid over it by SQL."""
    answer: "Answer | None"
    """None: the built-in provider answers."""

    def smaller(self) -> "list[Row]":
        """The same with one odd thing less."""
        rows = [
            replace(self, steps=self.steps[:at] + self.steps[at + 1 :])
            for at in range(len(self.steps))
        ]
        if self.made is not None:
            rows.append(replace(self, made=None))
        if self.way != "send":
            rows.append(replace(self, way="send"))
        if self.answer is not None:
            rows.append(replace(self, answer=None))
        return rows

    def statement(self, name: str, number: int) -> tuple[str, list[Any]]:
        """SQL that writes it and gives its msg_id, and the arguments."""
        value = changed(REQUESTS[self.base], self.steps, 60_000)
        body, arguments = "SELECT $1::text::jsonb", [self._text(value, name, number)]
        if self.way == "null":
            body, arguments = "SELECT NULL::jsonb", []
        elif self.made is not None:
            body = f"SELECT $1::text::jsonb || {MADE[self.made[0]]}"
            if self.made[0] == "calls":
                body = f"SELECT ($1::text::jsonb - 'messages') || {MADE[self.made[0]]}"
            arguments.append(self.made[1])
        if self.way in SENDS:
            return SENDS[self.way].format(body=body), arguments
        return INSERT.format(**{**PLAIN, **COLUMNS.get(self.way, {})}, body=body), arguments

    def _text(self, value: Any, name: str, number: int) -> str:
        given = {"request_id": self.identity.format(name), "complexity": "simple"}
        if self.answer is not None:
            given = {**given, "model": f"p/m{number}", "complexity": "medium"}
        return json_text(identified(value, given))


def identified(value: Any, given: Mapping[str, Any]) -> Any:
    """The request with what every good one has, wherever it stands."""
    if not isinstance(value, dict):
        return value
    if isinstance(value.get("request"), dict):
        return {**value, "request": {**given, **value["request"]}}
    return {**given, **value}


@dataclass(frozen=True, slots=True)
class Answer:
    """What a provider answers."""

    steps: tuple[Change, ...]
    cuts: tuple[Cut, ...]
    status: int
    streamed: bool
    drips: bool = field(default=False)

    def body(self) -> bytes:
        """Its bytes."""
        if self.status != 200:
            base: Any = ERRORS[len(self.steps) % len(ERRORS)]
            return cut(json_text(changed(base, self.steps, 60_000)).encode(), self.cuts)
        if not self.streamed:
            return cut(json_text(changed(CHAT_ANSWER, self.steps, 60_000)).encode(), self.cuts)
        events: Sequence[Any] = changed(CHAT_EVENTS, self.steps, 60_000)
        return cut(
            b"".join(b"data: %s\n\n" % json_text(event).encode() for event in events), self.cuts
        )


answers: Final = st.builds(
    Answer,
    st.lists(changes.map(tuple), max_size=1).map(lambda it: it[0] if it else ()),
    cuts.map(tuple),
    st.sampled_from((200, 200, 200, 200, 400, 404, 422, 500)),
    st.booleans(),
)


def rows(sizes: Sequence[int] = SIZES) -> st.SearchStrategy[Row]:
    """Rows of every kind; those made by SQL have one of these sizes."""
    made = st.tuples(st.sampled_from(sorted(MADE)), st.sampled_from(sizes))
    one_in_ten = st.integers(0, 9)
    return st.builds(
        lambda base, steps, way, identity, odds, made, answer: Row(
            base,
            tuple(steps[: odds[5] % 3]),
            way if odds[0] > 6 else "send",
            identity if odds[1] > 7 else "{}",
            odds[2] > 8,
            made if odds[3] > 7 else None,
            answer if odds[4] > 5 else None,
        ),
        st.integers(0, len(REQUESTS) - 1),
        changes,
        st.sampled_from((*COLUMNS, *SENDS, "null")),
        st.sampled_from(IDS),
        st.tuples(*(one_in_ten,) * 6),
        made,
        answers,
    )
