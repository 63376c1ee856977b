"""The same requests and answers through ours, LiteLLM's SDK and the vendors' official clients.

`make differential` runs it in a folder of its own (`.venv-differential`), against servers on
127.0.0.1 only. What differs is either written down with its reason in `accepted.toml`, or
unexplained, and then the run fails.
"""
