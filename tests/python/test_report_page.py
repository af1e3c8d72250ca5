"""The validation report as a page and as Markdown, and its charts."""

import re
from html.parser import HTMLParser
from xml.etree import ElementTree

import pytest

from finedelta.validate.page.charts import svg
from finedelta.validate.page.charts.canvas import fit, text_width
from finedelta.validate.page.document import (
    Bar,
    Bars,
    Document,
    HeatMap,
    Line,
    Lines,
    Paragraph,
    Point,
    Section,
    Table,
    Verdict,
    Waterfall,
    WaterfallStep,
)
from finedelta.validate.page.html import html
from finedelta.validate.page.markdown import markdown
from report_documents import HOSTILE, LONG, every_block, heat_map, lines

NAMES = ["model.layers.0.self_attn.q_proj.weight", HOSTILE, LONG, "", " "]
VOID = {"link", "meta", "wbr"}


class Page(HTMLParser):
    """A page's tags and texts; whatever is not closed in order is an error."""

    def __init__(self, text):
        super().__init__()
        self.open, self.tags, self.texts, self.raw = [], [], [], []
        self.feed(text)
        self.close()
        assert not self.open

    def handle_starttag(self, tag, attrs):
        assert len(dict(attrs)) == len(attrs)
        self.tags.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        assert "svg" in self.open
        self.tags.append((tag, dict(attrs)))

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        if "style" not in self.open:
            self.texts.append(data)

    def of(self, tag):
        return [attributes for name, attributes in self.tags if name == tag]


def document_of(*blocks):
    return Document("Title", (), (), (Section("Section", blocks),))


@pytest.mark.parametrize("name", NAMES)
def test_page_is_well_formed(name):
    text = html(every_block(name))
    page = Page(text)
    names = {tag for tag, _ in page.tags}
    assert not names & {"script", "img", "iframe", "object", "b"}
    assert {"table", "figure", "details", "svg", "caption", "figcaption"} <= names
    ids = [attributes["id"] for _, attributes in page.tags if "id" in attributes]
    assert len(ids) == len(set(ids)) == 3
    assert [link["href"] for link in page.of("a")] == [f"#{anchor}" for anchor in ids]
    assert all(re.fullmatch("[a-z0-9-]+", anchor) for anchor in ids)
    levels = [int(tag[1]) for tag in (tag for tag, _ in page.tags) if re.fullmatch("h[1-6]", tag)]
    assert levels == [1, 2, 2, 2]
    keys = {key for _, attributes in page.tags for key in attributes}
    assert "style" not in keys and not any(key.startswith("on") for key in keys)


@pytest.mark.parametrize("name", NAMES)
def test_page_asks_for_nothing(name):
    text = html(every_block(name))
    policy = next(meta["content"] for meta in Page(text).of("meta") if "http-equiv" in meta)
    assert policy.startswith("default-src 'none'; style-src 'unsafe-inline'; img-src data:;")
    assert Page(text).of("link") == [{"rel": "icon", "href": "data:,"}]
    assert not re.search(r"https?://|url\(|@import|@font-face", text)


def test_hostile_names_stay_text():
    page = Page(html(every_block(HOSTILE)))
    shown = "".join(page.texts)
    assert "<script>alert('x')</script>" in shown
    assert "&lt;\"" in shown
    assert not re.search("[\0\x1b\u202e\ud800]", shown)
    html(every_block(HOSTILE)).encode()
    markdown(every_block(HOSTILE)).encode()


@pytest.mark.parametrize("name", NAMES)
def test_drawings_are_xml(name):
    drawings = re.findall(r"<svg.*?</svg>", html(every_block(name)), re.DOTALL)
    assert len(drawings) == 4
    for drawing in drawings:
        root = ElementTree.fromstring(drawing)
        assert [child.tag for child in root][:2] == ["title", "desc"]
        assert root.get("role") == "img"


def test_each_chart_has_its_table():
    blocks = every_block().sections
    charts = [block for section in blocks for block in section.blocks if not isinstance(block, Paragraph)]
    text = html(document_of(*charts))
    assert text.count("<figure>") == text.count("<details>") == text.count("<table>") == len(charts) == 4
    plain = markdown(document_of(*charts))
    for chart in charts:
        assert plain.count(f"**{chart.caption.replace('_', chr(92) + '_')}**") == 1
    assert len(re.findall("^[|] ---", plain, re.MULTILINE)) == 4


def test_verdicts_have_marks_and_words():
    table = Table("", ("", "holds"), (("a", Verdict(True, "met")), ("b", Verdict(False, "not met")),
                                      ("c", Verdict(None, "no need"))))
    assert "| a | ✓ met |\n| b | ✗ not met |\n| c | no need |" in markdown(document_of(table))
    page = html(document_of(table))
    for style, mark, words in (("good", "✓", "met"), ("bad", "✗", "not met")):
        assert f'<span class="verdict {style}"><span aria-hidden="true">{mark}</span> {words}</span>' in page
    assert '<span class="verdict neither">no need</span>' in page


def test_numbers_are_flush_right():
    table = Table("", ("name", "size", "needs", "how"),
                  (("a1", "5 kB", Verdict(True, "met"), "read"), ("b2", "", Verdict(None, "-"), "packed")))
    assert "| --- | ---: | --- | --- |" in markdown(document_of(table))
    page = Page(html(document_of(table)))
    assert [cell.get("class") for cell in page.of("td")] == ["number", None, None] * 2
    assert [cell["scope"] for cell in page.of("th")] == ["col"] * 4 + ["row"] * 2


@pytest.mark.parametrize(
    ("text", "written"),
    [
        ("h.0_w*|<b>&lt;", r"h.0\_w\*\|\<b\>\&lt;"),
        ("`a_b` and `c|d`", r"`a_b` and `c\|d`"),
        ("one ` alone", r"one \` alone"),
        ("`a` ` b", r"`a` \` b"),
        ("`a``b`", "`ab`"),
        ("[x](y) ~~z~~ \\ $m$", r"\[x\](y) \~\~z\~\~ \\ \$m\$"),
        ("ftp://x www.y", r"ftp\://x www\.y"),
        ("two\nlines", "two lines"),
        ("- no list", r"\- no list"),
        ("1. no list", r"1\. no list"),
        ("1.5 GB", "1.5 GB"),
        ("# no title", r"\# no title"),
    ],
)
def test_markdown_reads_as_it_was_meant(text, written):
    assert markdown(document_of(Paragraph(text))).endswith(f"## Section\n\n{written}\n")


def test_markdown_rows_have_as_many_cells_as_heads():
    for line in markdown(every_block(HOSTILE)).splitlines():
        if line.startswith("| "):
            assert len(re.findall(r"(?<!\\)\|", line)) in (3, 5, 10), line


def test_labels_come_first():
    document = every_block()
    assert markdown(document).split("\n\n")[1].startswith("> **SYNTHETIC: made-up weights")
    assert html(document).index("SYNTHETIC") < html(document).index("<nav")


EDGES = [
    Bars("", ("", ""), ()),
    Bars("one", ("a", "b"), (Bar("", 0, ""),)),
    Bars("far", ("a", "b"), (Bar("x", 1e-300, "1e-300"), Bar("y", 1e300, "1e300"), Bar("z", -1, "-1"))),
    Bars("no numbers", ("a", "b"), (Bar("x", float("nan"), "nan"), Bar("y", float("inf"), "inf"))),
    Waterfall("none", ()),
    Waterfall("zero", (WaterfallStep("a", 0, 0),)),
    Waterfall("more", (WaterfallStep("a", 0, 10), WaterfallStep("b", 10**18, 1))),
    HeatMap("none", "", (), (), (), ()),
    HeatMap("rows alone", "layer", ("a",), (), ((),), ((),)),
    HeatMap("one", "layer", ("a",), ("b",), ((None,),), (("",),)),
    HeatMap("beyond", "layer", ("a",), ("b", "c", "d"), ((-1.0, 2.0, float("nan")),), (("-1", "2", ""),)),
    heat_map("layers", 40, 10),
    heat_map(LONG, 3, 40),
    Lines("none", ("x", "y"), ()),
    Lines("empty", ("x", "y"), (Line("a", ()),)),
    Lines("one", ("x", "y"), (Line("a", (Point(1, 1, ("1", "1")),)),)),
    Lines("no place", ("x", "y"), (
        Line("a", (Point(0, -1, ("0", "-1")), Point(float("inf"), 1, ("", "")))),)),
    Lines("far", ("x", "y"), (Line("a", (Point(5e-324, 1e308, ("", "")), Point(1e308, 1e-300, ("", "")))),)),
    lines([f"line {number}" for number in range(40)]),
    lines([LONG, LONG]),
]


@pytest.mark.parametrize("chart", EDGES, ids=lambda chart: f"{type(chart).__name__}-{chart.caption[:10]}")
def test_edges_are_drawn_within_the_drawing(chart):
    root = ElementTree.fromstring(svg(chart))
    width, height = float(root.get("width")), float(root.get("height"))
    for element in root.iter():
        for name, most in (("x", width), ("cx", width), ("y", height), ("cy", height)):
            assert 0 <= float(element.get(name, 0)) <= most, ElementTree.tostring(element)
        for name in ("width", "height"):
            assert float(element.get(name, 0)) >= 0
    Page(html(document_of(chart)))
    markdown(document_of(chart))


def test_labels_of_lines_do_not_meet():
    root = ElementTree.fromstring(svg(lines([f"line {number}" for number in range(20)])))
    places = [float(element.get("y")) for element in root.iter("text") if element.get("class") == "end"]
    assert len(places) == 20
    assert all(other - one >= 14 for one, other in zip(places, places[1:]))


def test_computed_points_are_hollow():
    root = ElementTree.fromstring(svg(lines(["a"])))
    styles = [element.get("class") for element in root.iter("circle")]
    assert styles[:4] == ["point line-0"] * 3 + ["point line-0 computed"]
    assert sum(element.get("class") == "line line-0 computed" for element in root.iter("path")) == 1


@pytest.mark.parametrize("name", [*NAMES, "W" * 100_000, "🙂" * 50])
@pytest.mark.parametrize("room", [0, 5, 40, 200])
def test_names_are_cut_in_the_middle(name, room):
    shown = fit(name, room)
    assert text_width(shown) <= room
    if len(name) > 20 and room == 200:
        assert shown[0] == name[0] and "…" in shown
        assert len(name) < 1000 or shown[-1] == name[-1]
