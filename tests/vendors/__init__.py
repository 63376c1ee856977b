"""The vendors' side, played: one file a vendor, its rules as they stand in its own pages.

Each file exports

    def answer(request: Recorded) -> Reply

It holds a call against the vendor's rules and says what the vendor would (400 or 422, in its own
form of an error) where one is broken; else it answers plausibly, as a stream if that was asked for.
A rule is a small function or a row of a table, with the page it was read from beside it.

The files are written from the vendors' documentation and from the types of their own packages. They
import nothing of `nexus_actors` and know nothing of `models.toml`: they are the other side, so that
a mistake in ours is not made twice. What a vendor does not document is no rule here.

    async with scripted_server({"*": anthropic.answer}) as server:
        ...  # POST to f"{server.url}/v1/messages"

`tests/conformance` holds every kind of request to them, and runs the shipped defaults against them;
`tests/integration/providers/helpers.py` holds every call that its tests make against them
(`rules.py`), whatever their own server answers.
"""
