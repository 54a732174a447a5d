"""What the book needs from Sphinx beyond its configuration file.

1. Scripts vendored by ``vendor.py`` are used instead of addresses on other hosts, so that the book works offline.
2. Equations, figures and exercises are numbered by chapter, ``(3.1)``; a chapter's number is its file's prefix.
3. Launch and edit buttons appear when the repository's address is known, and only then: Colab, Binder, codespaces.
4. ``{chapter-head}`` shows the book's map with the chapter's part lit, and what the chapter costs.
5. Explorables find anywidget's front end beside the pages.
6. Markup of Sphinx and docutils that assistive technology cannot read is mended.
"""

import json
import math
import re
import shutil
from html import escape
from importlib.resources import files
from pathlib import Path

from docutils import nodes
from docutils.parsers.rst import Directive
from sphinx.util import logging

logger = logging.getLogger(__name__)
COSTS = "book/results/costs.json"
MAP = "book/_static/figures/map.svg"
VENDORED = Path("_build/vendor/third-party")
SIGNATURE = re.compile(r"<dl>\s*((?:<dd>.*?</dd>\s*)+)</dl>", re.DOTALL)  # of several lines: a list without terms
PART = re.compile(r'<a data-chapter="(\d)"')
CHAPTER = re.compile(r"(?:.*/)?(\d\d)_\w+$")


def choose_scripts(app, config):
    """Points MathJax and the widget scripts at the local copies, where they exist."""
    vendored = Path(app.srcdir) / VENDORED
    widgets = list(config.nb_ipywidgets_js.items())
    if vendored.is_dir():
        # Sphinx puts "_static/" before a script's path; ".." leads back to the root of the site, on sub-pages too.
        config.html_extra_path = [*config.html_extra_path, str(vendored.parent)]
        config.mathjax_path = "../third-party/mathjax/tex-mml-chtml.js"
        widgets = [
            ("../third-party/requirejs/require.js", {}),
            ("../third-party/html-manager/embed-amd.js", {}),
        ]
    else:
        logger.info("No vendored scripts: each reader's browser fetches mathematics and explorables from the internet.")
    config.nb_ipywidgets_js = dict([widgets[0], ("widgets.js", {}), *widgets[1:]])


def show_buttons_if_published(app, config):
    """The repository's address stands in ``_config.yml`` alone; everything that depends on it follows here."""
    options = config.html_theme_options
    published = bool(options.get("repository_url"))
    for button in ("use_repository_button", "use_issues_button", "use_edit_page_button"):
        options[button] = published
    options["launch_buttons"]["colab_url"] = "https://colab.research.google.com" if published else ""
    options["launch_buttons"]["binderhub_url"] = "https://mybinder.org" if published else ""


def add_codespace(app, pagename, templatename, context, doctree):
    """A third entry of the theme's launch menu: a codespace opens the whole repository, set up by `make book`."""
    options = app.config.html_theme_options
    for group in context.get("header_buttons", []):
        if group.get("label") == "launch-buttons":
            repository = options["repository_url"].rstrip("/").removeprefix("https://github.com/")
            url = f"https://codespaces.new/{repository}/tree/{options['repository_branch']}?quickstart=1"
            button = {"type": "link", "text": "Codespace", "tooltip": "Launch on GitHub Codespaces", "url": url}
            group["buttons"].append(button | {"icon": "fab fa-github"})


def number_by_chapter(app, env):
    """Equation 2 of the file ``03_langevin`` becomes (3.2); the same for figures and exercises."""
    for docname, kinds in env.toc_fignumbers.items():
        chapter = CHAPTER.match(docname)
        for numbers in kinds.values():
            for position, label in enumerate(numbers, start=1):
                numbers[label] = (int(chapter[1]), position) if chapter else (position,)
    return []


class ChapterHead(Directive):
    """``{chapter-head}``: where in the book we are, and the cost as measured by the command that ran the chapter."""

    def run(self):
        env = self.state.document.settings.env
        for path in (COSTS, MAP):
            env.note_dependency(path)
        path = Path(env.srcdir) / COSTS
        costs = json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}
        text = cost_in_words(costs.get(env.docname.rsplit("/", 1)[-1], {}))
        cost = nodes.paragraph("", "", nodes.strong(text="Measured cost:"), nodes.Text(f" {text}."))
        return [book_map(env), cost]


class BookMap(Directive):
    """``{book-map}``: the map with every part lit."""

    def run(self):
        self.state.document.settings.env.note_dependency(MAP)
        return [book_map(self.state.document.settings.env)]


def book_map(env):
    """The map as part of the page, so that it has the theme's colors and each part leads to its chapter."""
    chapter = CHAPTER.match(env.docname)
    here = int(chapter[1]) if chapter else math.inf
    pages = {int(found[1]): name for name in env.found_docs if (found := CHAPTER.match(name))}

    def link(found):
        number = int(found[1])
        state = "now" if number == here else "built" if number < here else "later"
        page = pages[number].rsplit("/", 1)[-1]
        return f'<a class="{state}" href="{page}.html"'

    svg = PART.sub(link, (Path(env.srcdir) / MAP).read_text(encoding="utf-8"))
    return nodes.raw("", f'<div class="lpc-map-box">{svg}</div>', format="html")


def cost_in_words(cost):
    if "cpu_seconds" not in cost:
        return "not measured"
    gpu = f", {cost['gpu_seconds']:.0f} s on {cost['gpu_name']}" if "gpu_seconds" in cost else ""
    memory = cost["peak_memory_mb"] / 1024
    return f"{cost['cpu_seconds']:.0f} s on one CPU thread{gpu}; peak memory {memory:.1f} GB; nothing is downloaded"


def add_anywidget(app, exception):
    """The widget manager asks for the module "anywidget", and widgets.js says where it lies."""
    if exception is None and app.builder.format == "html":
        target = Path(app.outdir) / "third-party" / "anywidget"
        target.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(files("anywidget") / "nbextension" / "index.js", target / "index.js")


def skip_field_aliases(app, what, name, obj, skip, options):
    """A named tuple's fields stand in its signature; "Alias for field number 0" says nothing more."""
    return True if (obj.__doc__ or "").startswith("Alias for field number") else None


def describe_generated_pages(app, pagename, templatename, context, doctree):
    """Authors describe their pages; the index and the search page get a description here."""
    if 'name="description"' not in context.get("metatags", ""):
        text = f"{context.get('title', 'Search')}: {app.config.html_title}"
        context["metatags"] = context.get("metatags", "") + f'\n<meta name="description" content="{escape(text)}" />'


def mend_markup(app, pagename, templatename, context, doctree):
    """Lines of a signature become lines, and the entries of a bibliography the items of its list."""
    if "body" in context:
        body = context["body"].replace('role="doc-biblioentry"', 'role="listitem"')
        context["body"] = SIGNATURE.sub(as_lines, body)


def as_lines(found):
    return found[1].replace("<dd>", '<span class="sig-line">').replace("</dd>", "</span>")


def setup(app):
    app.connect("config-inited", choose_scripts, priority=100)
    app.connect("config-inited", show_buttons_if_published, priority=100)
    app.connect("env-get-updated", number_by_chapter, priority=900)  # after Sphinx has numbered them
    app.add_directive("chapter-head", ChapterHead)
    app.add_directive("book-map", BookMap)
    app.connect("html-page-context", describe_generated_pages)
    app.connect("html-page-context", mend_markup)
    app.connect("html-page-context", add_codespace, priority=900)  # after the theme has made its menu
    app.connect("autodoc-skip-member", skip_field_aliases)
    app.connect("build-finished", add_anywidget)
    # The theme's icon script replaces <i> elements as they appear and so breaks the buttons of widgets.
    app.add_js_file(None, body="window.FontAwesomeConfig = {observeMutations: false};", priority=1)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
