"""Messages as they are shown."""

from nexus_actors.monitoring.messages import SHOWN, message_of


def test_a_long_message_is_cut_with_how_much_there_was() -> None:
    message = message_of({"body": "x" * (SHOWN + 1), "bytes": 10**7, "fault": None})
    assert (message.text, message.bytes, message.is_cut) == ("x" * SHOWN, 10**7, True)


def test_a_short_one_is_laid_out_with_what_is_not_seen_made_visible() -> None:
    message = message_of({"body": '{"a": ["\u202e"]}', "bytes": 14, "fault": None})
    assert message.text == '{\n  "a": [\n    "\\u202e"\n  ]\n}'
    assert not message.is_cut


def test_what_is_not_opened_has_a_reason() -> None:
    message = message_of({"body": None, "bytes": 10**8, "fault": "it is too large"})
    assert (message.text, message.why_not, message.bytes) == (None, "it is too large", 10**8)
