"""The program of the model's process: llama.cpp's server, for as long as its parent lives.

It is run by its path and imports nothing of ours. It reads one line of JSON from standard input
(see `LocalModelServer`), loads the model, writes `{"url": …}` to standard output, and serves until
standard input ends, which the kernel sees to however its parent comes to an end.
"""

import json
import os
import sys
import threading
from importlib import import_module
from typing import Any


def main() -> None:
    wanted = json.loads(sys.stdin.readline())
    # Whatever the engine prints must not be taken for our one line.
    answer = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    threading.Thread(target=_end_with_parent, daemon=True).start()
    server = _serve(wanted)
    print(json.dumps({"url": server.listening_address}), file=answer, flush=True)
    threading.Event().wait()


def _end_with_parent() -> None:
    while os.read(0, 1):
        pass
    os._exit(0)  # not sys.exit: a thread can end the process in no other way


def _serve(wanted: dict[str, Any]) -> Any:
    xllamacpp: Any = import_module("xllamacpp")
    params = xllamacpp.CommonParams()
    params.model.path = wanted["model_file"]
    params.model_alias = {wanted["model"]}
    params.hostnames = ["127.0.0.1"]
    params.port = 0  # any that is free
    params.api_keys = [wanted["api_key"]]
    params.n_parallel = wanted["calls_at_once"]
    params.n_ctx = wanted["calls_at_once"] * wanted["context_window"]
    params.n_predict = wanted["max_tokens"]  # a small model may find no end by itself
    params.cpuparams.n_threads = params.cpuparams_batch.n_threads = wanted["threads"]
    params.n_threads_http = wanted["calls_at_once"] + 1
    params.cache_ram_mib = 0  # its default of 8 GB is for a machine that does nothing else
    params.verbosity = 0  # errors; more would quote prompts
    params.ui = params.endpoint_slots = params.endpoint_props = False
    return xllamacpp.Server(params)


if __name__ == "__main__":
    main()
