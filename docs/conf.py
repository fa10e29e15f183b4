"""How Sphinx builds the manual: offline, with every warning an error."""

import inspect
import re
import sys
import tomllib
from pathlib import Path

from docutils import nodes
from docutils.utils.math import MathError
from docutils.utils.math.latex2mathml import tex2mathml

from sktpecr import __version__

ROOT = Path(__file__).resolve().parents[1]

project = "sktpecr"
author = "the sktpecr developers"
copyright = f"2026, {author}"
version = release = __version__

extensions = [
    "sphinx.ext.autodoc",
    "sphinx.ext.autosummary",
    "sphinx.ext.doctest",
    "numpydoc",
    "sphinx_gallery.gen_gallery",
]
templates_path = ["_templates"]
exclude_patterns = ["_build"]
default_role = "literal"

toc_object_entries_show_parents = "hide"
autodoc_member_order = "bysource"
autodoc_typehints = "none"  # numpydoc's Parameters section has the types
numpydoc_show_class_members = False  # the template of a class page lists them

sphinx_gallery_conf = {
    "examples_dirs": "../examples",
    "gallery_dirs": "auto_examples",
    "within_subsection_order": "FileNameSortKey",
    "backreferences_dir": "generated/backreferences",
    "doc_module": ("sktpecr",),
    "abort_on_example_error": True,
    "download_all_examples": False,
    "show_signature": False,
    "ignore_repr_types": r"matplotlib\.|.*TPECRExplainer|.*Axes",
    "min_reported_time": 1_000_000,  # no times: they differ from build to build
    "write_computation_times": False,
    "reset_modules": ("matplotlib",),
    "remove_config_comments": True,
    "thumbnail_size": (480, 336),
}

# A reference to a name of ours that does not exist is an error. There is no intersphinx, since a
# remote inventory fails a build that is offline, so names of other packages stay plain text.
nitpicky = True
nitpick_ignore_regex = [
    (
        r"py:.*",
        r"(collections|copy|implicit|joblib|lime|matplotlib|numpy|pandas|pathlib|scipy|shap|sklearn"
        r"|skorch|torch|typing)(\..*)?",
    ),
    (
        r"py:(class|obj|exc)",
        r"(object|bool|int|float|str|list|dict|tuple|set|None|\w+(Error|Warning))",
    ),
]

# Browsers read MathML. MathJax, which Sphinx would take, is a program from another machine.
html_math_renderer = "mathml"

html_theme = "pydata_sphinx_theme"
html_title = f"sktpecr {release}"
html_logo = html_favicon = "_static/logo.svg"
html_static_path = ["_static"]
html_css_files = ["sktpecr.css"]
html_show_sourcelink = False
html_copy_source = False
html_theme_options = {
    "logo": {"text": html_title},
    "navigation_with_keys": False,
    "header_links_before_dropdown": 6,
    "show_prev_next": False,
    "show_toc_level": 2,
    "footer_start": ["copyright"],
    "footer_end": [],
}
_urls = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"].get("urls")
if _urls:
    html_theme_options["icon_links"] = [
        {"name": "Repository", "url": _urls["Repository"], "icon": "fa-brands fa-git-alt"}
    ]
# A page without pages below it has nothing to list beside it.
html_sidebars = {page: [] for page in ("index", "changelog")}


def skip_members_of_others(app, what, name, obj, skip, options):
    """Leave scikit-learn's methods out of a class's page: their docstrings refer to its manual."""
    obj = inspect.unwrap(getattr(obj, "fget", None) or getattr(obj, "func", None) or obj)
    module = getattr(obj, "__module__", None) or "sktpecr"
    return True if module.split(".")[0] != "sktpecr" else None


def write_pages(app):
    """Write the pages, tables and pictures that are made from code and from results."""
    # Neither benchmarks nor tools are installed.
    sys.path[:0] = [str(ROOT), str(ROOT / "tools")]
    import draw_images

    from benchmarks.pages.write import write

    write(app.srcdir)
    draw_images.write(app.srcdir / "images")


def include_changelog(app, docname, source):
    """Write CHANGELOG.md, of which only headings, links and code need it, as reStructuredText."""
    if docname != "changelog":
        return
    lines = []
    for line in (ROOT / "CHANGELOG.md").read_text(encoding="utf-8").splitlines():
        heading = re.fullmatch(r"(#+) \[?(.*?)\]?(?: - (.*))?", line)
        if heading:
            title = " - ".join(filter(None, heading.groups()[1:]))
            lines += [title, "=-~"[len(heading[1]) - 1] * len(title)]
        else:
            line = re.sub(r"`([^`]+)`", r"``\1``", line)
            lines.append(re.sub(r"\[([^\]]+)\]\(([^)]+)\)", r"`\1 <\2>`__", line))
    source[0] = "\n".join(lines)


# docutils sets the subscript of an accented letter below the letter, under the accent.
_UNDER_ACCENT = re.compile(
    r"<munderover>\s*(<mi>\w</mi>)\s*(<mi>\w</mi>|<mrow>.*?</mrow>)\s*(<mo [^>]*>.</mo>)\s*"
    r"</munderover>",
    re.DOTALL,
)


def write_formula(self, node):
    """Write a formula of the text, or a displayed one, as MathML."""
    displayed = isinstance(node, nodes.math_block)
    try:
        formula = tex2mathml(node.astext(), as_block=displayed)
    except MathError as error:
        raise ValueError(f"a formula that docutils cannot read: {node.astext()}") from error
    formula = _UNDER_ACCENT.sub(r"<msub><mover>\1\3</mover>\2</msub>", formula)
    self.body.append(f"<div>{formula}</div>\n" if displayed else formula)
    raise nodes.SkipNode


def setup(app):
    app.add_html_math_renderer("mathml", (write_formula, None), (write_formula, None))
    app.connect("builder-inited", write_pages)
    app.connect("autodoc-skip-member", skip_members_of_others)
    app.connect("source-read", include_changelog)
