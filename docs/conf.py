"""The docs site: the Markdown pages that the forge shows, made into HTML by Sphinx.

`make docs` builds it offline into build/docs. Anything that Sphinx warns of fails the build: a
broken link, a page in no table of contents, a docstring that does not parse.
"""

import re
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent
sys.path[:0] = [str(HERE / "_ext"), str(ROOT)]

project = "nexus-actors"
author = "the nexus-actors authors"
copyright = "the nexus-actors authors"  # noqa: A001 - Sphinx's name
html_title = "nexus-actors"
language = "en"

extensions = ["myst_parser", "sphinx.ext.autodoc", "plain_docstrings", "repository_links"]
exclude_patterns = ["_ext", "pictures"]
root_doc = "index"

# Where files outside docs/ are linked to.
repository_url = "https://github.com/nexus-actors/nexus-actors"
repository_branch = "main"
# Pages that stand elsewhere in the repository. On the forge each of these is a pointer; on the site
# it is the page itself.
repository_pages = {
    "benchmarks": "benchmarks/README.md",
    "changelog": "CHANGELOG.md",
    "contributing": "CONTRIBUTING.md",
    "readme": "README.md",
    "supervisors_readme": "supervisors/README.md",
}

myst_heading_anchors = 4
myst_links_external_new_tab = False

# Whether a snippet is right is for the test that runs it; lexers stumble over `…`.
suppress_warnings = ["misc.highlighting_failure"]
nitpicky = True
# Types of other packages: nothing is fetched while the site is built, so they have no link.
_OTHERS = (
    *("collections.abc", "contextlib", "datetime", "logging", "pathlib", "signal"),
    *("opentelemetry", "prometheus_client", "trio"),
)
# Ours that signatures name and that are not public: they are shown by name, without a link.
_OURS = (
    "Heard",
    "nexus_actors.client.connection.ClientDatabase",
    "nexus_actors.contract.encode.Envelope",
    "nexus_actors.settings.model.QueueSettings",
    "nexus_actors.settings.model.Settings",
    "supervisors.registry.registry.ActorRefVia",
    "supervisors.tasks.task_process.TaskActor",
    "supervisors.tasks.task_stream.StreamOptions",
)
nitpick_ignore = [("py:class", name) for name in (*_OURS, "MemoryObjectReceiveStream")]
nitpick_ignore_regex = [
    *(("py:class", rf"{re.escape(package)}\..+") for package in _OTHERS),
    ("py:class", r"supervisors\._core\..+"),
    ("py:class", r"(.+\.)?[A-Z]s?(_co)?"),  # type variables
]
default_role = "code"
add_module_names = False
autodoc_member_order = "bysource"
autodoc_typehints = "signature"
autodoc_typehints_format = "short"
autodoc_preserve_defaults = True
autodoc_class_signature = "mixed"
python_use_unqualified_type_names = True
python_maximum_signature_line_length = 80
toc_object_entries_show_parents = "hide"

html_theme = "furo"
html_static_path = ["_static"]
html_css_files = ["site.css"]
html_copy_source = False
html_show_sourcelink = False
html_show_sphinx = False
html_theme_options = {
    "source_repository": f"{repository_url}/",
    "source_branch": repository_branch,
    "source_directory": "docs/",
}
pygments_style = "default"
pygments_dark_style = "monokai"
