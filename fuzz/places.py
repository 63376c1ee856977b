"""Foreign bytes that stand in files and sockets: the spool, the config, the control socket, names
that are shown. Each is read as the service reads it."""

import shutil
import zlib
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Final

from hypothesis import strategies as st
from pydantic import TypeAdapter

from fuzz.bases import ODD
from fuzz.mutate import changed, changes, cut, cuts, json_text
from fuzz.subjects import finished
from nexus_actors.operations.control import Control, read_request
from nexus_actors.settings import Settings, SettingsErrors, load_settings
from nexus_actors.storage.requests import Finish, Lease
from nexus_actors.storage.spool import FileSpool

CONFIG: Final = (Path(__file__).parents[1] / "config" / "nexus.toml").read_bytes()
SMALL: Final = b"""[service]
name = "x"
[queue]
batch_size = 3
[providers.p]
kind = "openai_compatible"
base_url = "http://127.0.0.1:1/v1"
models."m" = { input_price = 1.0, output_price = 2.0, takes = { seed = false } }
[budgets.b]
dollars = 1.0
per = "day"
[[routes]]
complexity = "simple"
models = ["p/m"]
"""
FINISH: Final = TypeAdapter(Finish).dump_python(
    Finish(
        lease=Lease(1, 1),
        request_id="r",
        result='{"request_id": "r"}',
    ),
    mode="json",
)
ODD_BYTES: Final = tuple(str(it).encode("utf-8", "replace") for it in ODD)

strategy: Final = st.tuples(
    st.sampled_from(("spool", "config", "control", "shown")),
    changes,
    cuts,
    st.integers(0, len(ODD) - 1),
    st.booleans(),
)


def reader(folder: Path) -> Callable[[Any], int]:
    """What reads one of `strategy`; it writes into `folder`."""
    control = Control(data_dir=folder, commands={"status": _status})
    readers: dict[str, Callable[[Any], int]] = {
        "spool": lambda value: _spool(folder / "spool", value),
        "config": lambda value: _config(folder / "c.toml", value),
        "control": lambda value: _control(control, value),
        "shown": _shown,
    }
    return lambda value: readers[value[0]](value)


def _spool(folder: Path, value: Any) -> int:
    _, steps, knife, odd, checked = value
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    answer = json_text(changed(FINISH, steps)).encode()
    text = answer if checked else cut(answer, knife)
    versions = (b"answer ", b"answer/2 ", b"done ", b"done/2 ", b"answer/9 ", ODD_BYTES[odd])
    rest = versions[odd % len(versions)] + text
    line = b"%08x %s\n" % (zlib.crc32(rest), rest)
    file = folder / "answers.spool"
    file.write_bytes(line + (cut(line, knife) if checked else b"") + line)
    spool = FileSpool(file, limit_bytes=2**20)
    assert len(spool.unpublished()) == len(spool)
    return len(line)


def _config(file: Path, value: Any) -> int:
    _, _, knife, odd, whole = value
    file.write_bytes(cut(cut(CONFIG if whole else SMALL, knife), knife) + ODD_BYTES[odd])
    outcome = load_settings(file, {"HOME": "/nowhere"})
    assert isinstance(outcome, Settings | SettingsErrors)
    if isinstance(outcome, SettingsErrors):
        assert len(str(outcome)) < 100_000
    return len(CONFIG)


async def _status(_arguments: Mapping[str, Any]) -> object:
    return {}


def _control(control: Control, value: Any) -> int:
    _, steps, knife, _, _ = value
    asked = {"command": "status", "arguments": {"queues": False}, "more": [1]}
    line = cut(json_text(changed(asked, steps)).encode(), knife)
    reply = finished(control._reply(*read_request(line)))
    assert reply.keys() <= {"ok", "error"}
    assert len(str(reply)) < 4000
    return len(line)


def _shown(value: Any) -> int:
    try:
        from nexus_actors.contract.shown_text import printable
    except ImportError:
        return 0
    _, steps, knife, odd, _ = value
    text = cut(json_text(changed({"a": "b"}, steps)).encode(), knife).decode("utf-8", "replace")
    text += str(ODD[odd]) + "\ud800\u202e\x9b"
    for limit in (None, 20):
        shown = printable(text, limit)
        assert shown.isprintable(), shown
        shown.encode()
        assert limit is None or len(shown) <= limit + 10
    return len(text)
