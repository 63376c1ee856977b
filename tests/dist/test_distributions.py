"""What is published is complete. That it runs, installed with what it declares and nothing else, is
tested by `python -m tests.distributions try`."""

import re
from pathlib import Path

from tests.distributions import (
    READMES,
    ROOT,
    absolute_links,
    build_archive,
    build_wheel,
    tracked,
)

FOR_SOURCES = tuple(
    f"supervisors/{it}" for it in ("examples/", "pyproject.toml", "setup.cfg", "LICENSE")
)
"""What source distributions have besides, as well as Markdown and *.in."""


def files(*folders: str) -> set[str]:
    """The files that a wheel of these packages must have."""
    return {
        name
        for name in tracked(*folders)
        if not name.startswith(FOR_SOURCES) and not name.endswith((".md", ".in"))
    }


def assert_stands_alone(text: str) -> None:
    """Each link of a description leads to a host, and those to the forge to a file there is."""
    links = re.findall(r"\]\(([^)\s]+)\)", text)
    assert [it for it in links if not it.startswith("https://")] == []
    forge = r"https://github\.com/nexus-actors/nexus-actors/(blob|tree|raw)/main/([^#]+)"
    ours = [found.groups() for it in links if (found := re.match(forge, it))]
    assert ours
    for kind, path in ours:
        target = ROOT / path
        assert target.is_dir() if kind == "tree" else target.is_file(), path
        assert (kind == "raw") == (target.suffix in (".png", ".svg")), path


def test_the_wheel_of_the_service_is_complete(tmp_path: Path) -> None:
    wheel = build_wheel(".", tmp_path)
    assert wheel.files == files("nexus_actors", "supervisors") - files("supervisors/plugin")
    assert wheel.description.startswith("# nexus-actors\n")
    assert_stands_alone(wheel.description)


def test_the_wheel_of_the_library_is_complete(tmp_path: Path) -> None:
    wheel = build_wheel("supervisors", tmp_path)
    plugin = files("supervisors/plugin")
    assert wheel.files == files("supervisors") - plugin | {Path(it).name for it in plugin}
    assert wheel.description.startswith("# supervisors\n")
    assert_stands_alone(wheel.description)


def test_the_source_of_the_library_is_what_git_has(tmp_path: Path) -> None:
    """What is made of it stands apart, as in the folder that an editable install is made of."""
    made = ("PKG-INFO", "otp_supervisors.egg-info/")
    found = {it for it in build_archive("supervisors", tmp_path) if not it.startswith(made)}
    assert found == {it.removeprefix("supervisors/") for it in tracked("supervisors")}


def test_links_of_a_readme_lead_to_the_forge_and_code_stays() -> None:
    page = (
        "![seen](../docs/pictures/overview.png), [all](examples/), [there](README.md#license),"
        " [here](#license), [out](https://example.org)\n\n```python\ndone[0](page)\n```\n"
    )
    forge = "https://github.com/nexus-actors/nexus-actors"
    here = f"{forge}/blob/main/supervisors/README.md#license"
    assert absolute_links(page, READMES[1]) == (
        f"![seen]({forge}/raw/main/docs/pictures/overview.png),"
        f" [all]({forge}/tree/main/supervisors/examples), [there]({here}), [here]({here}),"
        " [out](https://example.org)\n\n```python\ndone[0](page)\n```\n"
    )
