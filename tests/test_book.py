"""The rendered pages: complete, linked, described, readable without pictures, and free of other hosts."""

import functools
import itertools
import json
import re
import shutil
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import unquote, urlsplit

import pytest
import yaml
from book_build import ROOT, build, built_book
from bs4 import BeautifulSoup

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]
GENERATED = {"genindex.html", "py-modindex.html", "search.html", "index.html"}  # not written by an author
MARKUP = re.compile(r"```|:::|\{(?:py:)?[a-z-]+\}|:(?:eq|py:\w+|label|class):|`|\$\$|\\\(|\|[A-Z]\w+\|")


@pytest.fixture(scope="module")
def html() -> Path:
    return built_book()


@functools.cache
def soup(path: Path) -> BeautifulSoup:
    return BeautifulSoup(path.read_text(encoding="utf-8"), "html.parser")


@functools.cache
def anchors(path: Path) -> frozenset[str]:
    return frozenset(element["id"] for element in soup(path).find_all(id=True))


def pages(html: Path) -> Iterator[tuple[str, BeautifulSoup]]:
    """Every page, by its path in the site; the redirect at the root is not one."""
    for path in sorted(html.rglob("*.html")):
        name = path.relative_to(html).as_posix()
        if not name.startswith(("_static/", "third-party/")) and name != "index.html":
            yield name, soup(path)


def written_pages(html: Path) -> Iterator[tuple[str, BeautifulSoup]]:
    return ((name, page) for name, page in pages(html) if name not in GENERATED)


def is_external(address: str) -> bool:
    return urlsplit(address).netloc != "" or urlsplit(address).scheme in ("http", "https", "ftp")


def resources(page: BeautifulSoup) -> Iterator[str]:
    """What a browser loads by itself: scripts, styles, icons, pictures, frames."""
    for tag, attribute in (("script", "src"), ("img", "src"), ("iframe", "src"), ("source", "src"), ("video", "src")):
        yield from (element[attribute] for element in page.find_all(tag) if element.get(attribute))
    for link in page.find_all("link"):
        if set(link.get("rel", [])) & {"stylesheet", "icon", "preload", "modulepreload", "prefetch", "preconnect"}:
            yield link["href"]


def test_every_file_of_the_contents_has_a_page(html: Path):
    entries = re.findall(r"(?:root|file): *(\S+)", (ROOT / "_toc.yml").read_text(encoding="utf-8"))
    names = {name.removesuffix(".html") for name, _ in written_pages(html)}
    assert set(entries) == names
    assert (html / "index.html").exists(), "the site's root leads nowhere"


def test_pages_have_a_title_a_description_and_one_main_heading(html: Path):
    seen: dict[str, str] = {}
    for name, page in written_pages(html):
        title = page.title.get_text().strip() if page.title else ""
        assert len(title) > 3, f"{name} has no title"
        metas = [tag["content"] for tag in page.find_all("meta", attrs={"name": "description"})]
        assert len(metas) == 1, f"{name} needs one description: add `myst: html_meta: description:` ({metas})"
        assert 50 <= len(metas[0]) <= 200, f"{name}: a description has 50 to 200 characters: {metas[0]!r}"
        for text in (title, metas[0]):
            assert text not in seen, f"{name} and {seen.get(text)} share {text!r}"
            seen[text] = name
        headings = page.select(".bd-article h1")
        assert len(headings) == 1, f"{name} has {len(headings)} main headings, expected one"
        assert page.html["lang"] == "en"


def test_generated_pages_have_a_title_and_a_description(html: Path):
    for name, page in pages(html):
        assert page.title and page.title.get_text().strip(), name
        assert page.find("meta", attrs={"name": "description"}), name


def test_chapters_carry_their_files_number(html: Path):
    for name, page in written_pages(html):
        if number := re.match(r"book/(\d\d)_", name):
            heading = page.select_one(".bd-article h1").get_text()
            assert heading.startswith(f"{int(number[1])}. "), f"{name}: the heading is {heading!r}"


def test_chapters_state_their_measured_cost(html: Path):
    for name, page in written_pages(html):
        if re.match(r"book/\d\d_", name):
            text = page.select_one(".bd-article").get_text()
            stated = re.search(r"Measured cost: \d+ s on one CPU thread.*peak memory [\d.]+ GB", text)
            assert stated, f"{name}: add `{{chapter-head}}` below the title and run make notebooks"


def test_the_map_shows_where_a_chapter_stands(html: Path):
    states = {}
    for name, page in written_pages(html):
        if parts := page.select(".lpc-map a"):
            states[name] = [part["class"][0] for part in parts]
            assert [part["href"][:2] for part in parts] == [f"0{number}" for number in range(1, 10)]
    assert states.pop("book/index.html") == ["built"] * 9
    assert len(states) == 9
    for name, found in states.items():
        number = int(name.removeprefix("book/")[:2])
        assert found == ["built"] * (number - 1) + ["now"] + ["later"] * (9 - number)


def test_figures_have_a_dark_twin(html: Path):
    for name, page in written_pages(html):
        if re.match(r"book/\d\d_", name):
            light, dark = (page.select(f".bd-article img.{kind}-figure") for kind in ("light", "dark"))
            assert light and [image["src"].replace(".svg", ".dark.svg") for image in light] == [
                image["src"] for image in dark
            ]


def test_heading_levels_are_not_skipped(html: Path):
    for name, page in written_pages(html):
        levels = [int(tag.name[1]) for tag in page.select(".bd-article :is(h1, h2, h3, h4, h5, h6)")]
        for above, below in itertools.pairwise(levels):
            assert below <= above + 1, f"{name}: a heading of level {below} follows one of level {above}"


def test_no_page_is_empty(html: Path):
    for name, page in written_pages(html):
        assert len(page.select_one(".bd-article").get_text()) > 250, f"{name} is nearly empty"


def test_links_and_anchors_inside_the_book_work(html: Path):
    broken = []
    for name, page in pages(html):
        for link in page.find_all(["a", "area"], href=True):
            address = link["href"]
            if is_external(address) or address.startswith(("mailto:", "javascript:")):
                continue
            parts = urlsplit(address)
            target = ((html / name).parent / unquote(parts.path) if parts.path else html / name).resolve()
            if not target.exists():
                broken.append(f"{name}: {address} leads to no file")
            elif (
                parts.fragment and target.suffix == ".html" and unquote(parts.fragment) not in anchors(target.resolve())
            ):
                broken.append(f"{name}: {address} leads to no anchor")
    assert not broken, "\n".join(broken)


def test_files_that_pages_load_are_there_and_on_no_other_host(html: Path):
    for name, page in pages(html):
        for address in resources(page):
            if address.startswith("data:"):
                continue
            assert not is_external(address), f"{name} loads {address} from another host"
            assert ((html / name).parent / unquote(urlsplit(address).path)).exists(), f"{name}: {address} is missing"


def test_own_styles_and_drawings_load_nothing_from_other_hosts(html: Path):
    for path in (*(ROOT / "book/_static").rglob("*.css"), *(ROOT / "book/_static").rglob("*.svg")):
        text = path.read_text(encoding="utf-8")
        assert not re.search(r"(?:url\(|@import|href=)\s*[\"']?https?:", text), f"{path} loads from another host"


def test_pictures_have_words(html: Path):
    for name, page in written_pages(html):
        article = page.select_one(".bd-article")
        for image in article.find_all("img"):
            alt = image.get("alt", "")
            source = image.get("src", "")[:80]
            assert len(alt.split()) >= 8, f"{name}: {source} needs an alt of 8 words or more, has {alt!r}"
            assert not re.search(r"[0-9a-f]{16}|\.(?:png|svg)\b", alt), f"{name}: the alt {alt!r} is a file name"
            caption = image.find_parent("figure") and image.find_parent("figure").select_one(".caption-text")
            assert not caption or caption.get_text().strip() != alt.strip(), f"{name}: {alt!r} repeats the caption"
        for image in page.find_all("img"):  # the logo stands beside its own name
            decorative = "logo__image" in image.get("class", [])
            assert image.get("alt") or decorative, f"{name}: {image.get('src', '')[:80]} has no alt"


def test_pictures_of_cells_have_a_caption(html: Path):
    for name, page in written_pages(html):
        for image in page.select(".bd-article .cell_output img"):
            figure = image.find_parent("figure")
            assert figure and figure.find("figcaption"), f"{name}: {image.get('alt', '')[:60]!r} has no caption"


def test_no_markup_is_left_in_the_text(html: Path):
    for name, page in written_pages(html):
        article = page.select_one(".bd-article")
        meant = article.select("pre, code, script, style, .math, .MathJax")
        ours = {id(string) for element in meant for string in element.strings}
        text = "".join(string for string in article.strings if id(string) not in ours)
        left = MARKUP.search(text)
        assert not left, f"{name}: {text[max(0, left.start() - 60) : left.end() + 60]!r}"


def test_no_cell_shows_an_error_or_a_warning(html: Path):
    for name, page in written_pages(html):
        assert not page.select(".output.stderr, .output.traceback, .system-message, .problematic"), name


def test_numbers_of_equations_figures_and_exercises_start_with_the_chapter(html: Path):
    for name, page in written_pages(html):
        if not (chapter := re.match(r"book/(\d\d)_", name)):
            continue
        for selector, pattern in (
            (".eqno", r"\(%d\.\d+\)"),
            ("figcaption .caption-number", r"Fig\. %d\.\d+"),
            (".exercise .caption-number", r"Exercise %d\.\d+"),
        ):
            for position, element in enumerate(page.select(f".bd-article {selector}"), start=1):
                text = element.get_text().strip(" #")
                assert re.fullmatch(pattern % int(chapter[1]), text), f"{name}: {text!r}"
                assert text.strip("()").endswith(f".{position}"), f"{name}: {text!r} is number {position}"


def test_equations_and_functions_link_to_each_other(html: Path):
    """A function's docstring names the equation that it computes; that chapter names one of its functions."""
    functions: dict[tuple[str, str], set[str]] = {}
    for entry in soup(html / "book" / "api.html").select("dl.py > dt[id]"):
        for link in entry.find_next_sibling("dd").find_all("a", href=re.compile(r"\.html#equation-eq-")):
            page, anchor = link["href"].split("#")
            functions.setdefault((page, anchor), set()).add(f"api.html#{entry['id']}")
    assert functions, "no function of the reference names an equation"
    for (page, anchor), names in functions.items():
        links = {link["href"] for link in soup(html / "book" / page).select(".bd-article a[href^='api.html#']")}
        assert links & names, f"{page} holds {anchor} and names none of the functions that compute it: {sorted(names)}"


def test_each_chapter_has_something_to_explore(html: Path):
    for name, page in written_pages(html):
        if re.match(r"book/\d\d_", name):
            states = page.find_all("script", type="application/vnd.jupyter.widget-state+json")
            alive = any('"pcltut.explorables.' in script.string for script in states)
            assert alive, f"{name} has nothing to explore"


@pytest.fixture(scope="module")
def small_book(tmp_path_factory: pytest.TempPathFactory):
    """Builds a book of one notebook with the real configuration, at a given public address, without scripts."""

    @functools.cache
    def make(url: str) -> BeautifulSoup:
        folder = tmp_path_factory.mktemp("small")
        config = yaml.safe_load((ROOT / "_config.yml").read_text(encoding="utf-8"))
        config["repository"]["url"] = url
        (folder / "_config.yml").write_text(yaml.safe_dump(config), encoding="utf-8")
        (folder / "_toc.yml").write_text("format: jb-book\nroot: book/03_page\n", encoding="utf-8")
        shutil.copytree(ROOT / "book" / "_static", folder / "book" / "_static")
        shutil.copytree(ROOT / "book" / "_tools", folder / "book" / "_tools")
        shutil.copy(ROOT / "book" / "references.bib", folder / "book")
        cell = {"cell_type": "markdown", "id": "a", "metadata": {}, "source": "# 3. A page\n\n$$a = b$$ (eq-a)"}
        kernel = {"kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"}}
        notebook = {"cells": [cell], "metadata": kernel, "nbformat": 4, "nbformat_minor": 5}
        (folder / "book" / "03_page.ipynb").write_text(json.dumps(notebook), encoding="utf-8")
        build(folder, folder)
        return soup(folder / "_build" / "html" / "book" / "03_page.html")

    return make


def test_buttons_follow_the_public_address(small_book):
    hidden = small_book("")
    assert not hidden.find_all("a", href=re.compile("colab|mybinder|codespaces|/edit/|/issues/|github"))
    shown = small_book("https://github.com/someone/some-book")
    links = {link["href"].rstrip("/") for link in shown.find_all("a", href=True)}
    wanted = {
        "https://github.com/someone/some-book",
        "https://github.com/someone/some-book/edit/main/book/03_page.ipynb",
        "https://colab.research.google.com/github/someone/some-book/blob/main/book/03_page.ipynb",
        "https://mybinder.org/v2/gh/someone/some-book/main?urlpath=lab/tree/book/03_page.ipynb",
        "https://codespaces.new/someone/some-book/tree/main?quickstart=1",
    }
    assert wanted <= links, f"no link to {wanted - links}"


def test_without_vendored_scripts_the_page_falls_back_to_the_network(small_book):
    page = small_book("")
    scripts = [script["src"] for script in page.find_all("script", src=True)]
    assert any(is_external(script) and "mathjax" in script for script in scripts)


def test_every_reference_has_a_link():
    entries = re.split(r"\n(?=@)", (ROOT / "book" / "references.bib").read_text(encoding="utf-8").strip())
    without = [entry.splitlines()[0] for entry in entries if not re.search(r"\b(doi|url|eprint)\s*=", entry)]
    assert len(entries) > 50 and not without, f"give a doi, an eprint (arXiv) or a url: {without}"
