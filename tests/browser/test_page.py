"""The validation report's page as a browser shows it."""

import json
from pathlib import Path

import pytest

from finedelta.validate.page.html import html
from report_documents import HOSTILE, LONG, every_block

NAMES = {"usual": "model.layers.0.self_attn.q_proj.weight", "hostile": HOSTILE, "long": LONG}
REPORTS = sorted(Path(__file__).parents[2].glob("docs/validation/*/report.html"))
SCHEMES = ("light", "dark")

# Contrast as WCAG 2 defines it, of each element's text over the nearest background that is not clear.
CONTRASTS = """
const channels = color => color.match(/[\\d.]+/g).map(Number);
const linear = c => c <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4;
const luminance = ([r, g, b]) =>
  0.2126 * linear(r / 255) + 0.7152 * linear(g / 255) + 0.0722 * linear(b / 255);
function paper(element) {
  for (let at = element; at; at = at.parentElement) {
    const color = channels(getComputedStyle(at).backgroundColor);
    if (color.length == 3 || color[3] == 1) return color;
  }
}
return [...document.querySelectorAll(arguments[0])].map(element => {
  const property = element instanceof SVGElement ? "fill" : "color";
  const one = luminance(channels(getComputedStyle(element)[property]));
  let other = paper(element);
  const cell = element instanceof SVGElement && element.parentElement.tagName == "g" &&
               element.parentElement.querySelector(":scope > .heat");
  if (cell) {
    const style = getComputedStyle(cell), share = Number(style.fillOpacity);
    other = channels(style.fill).map((c, i) => share * c + (1 - share) * other[i]);
  }
  other = luminance(other);
  return [element.textContent, (Math.max(one, other) + 0.05) / (Math.min(one, other) + 0.05)];
});
"""

OUTSIDE = """
return [...document.querySelectorAll("svg")].flatMap(svg => {
  const box = svg.getBoundingClientRect();
  return [...svg.querySelectorAll("text")].filter(text => {
    const own = text.getBoundingClientRect();
    return own.width > 0 && (own.left < box.left - 1 || own.right > box.right + 1 ||
                             own.top < box.top - 1 || own.bottom > box.bottom + 1);
  }).map(text => text.textContent);
});
"""

# All texts of a chart, but for turned ones, whose boxes are larger than they.
MEETING = """
return [...document.querySelectorAll("svg")].flatMap(svg => {
  const texts = [...svg.querySelectorAll("text:not([transform])")].map(text => [text, text.getBBox()]);
  const meet = (a, b) => a.x + a.width > b.x && b.x + b.width > a.x && a.y + a.height - 2 > b.y &&
                         b.y + b.height - 2 > a.y;
  return texts.flatMap(([text, box], i) => texts.slice(i + 1).filter(other => meet(box, other[1]))
    .map(other => [text.textContent, other[0].textContent]));
});
"""


@pytest.fixture(params=[*NAMES, *REPORTS], ids=lambda of: of if isinstance(of, str) else of.parent.name)
def page(chromium, request, tmp_path):
    """A page with every kind of block, whose names are of this kind, or a report; its address."""
    path = request.param
    if isinstance(path, str):
        path = tmp_path / "page.html"
        path.write_text(html(every_block(NAMES[request.param])), encoding="utf-8")
    chromium.get("about:blank")
    for log in ("browser", "performance"):
        chromium.get_log(log)
    chromium.get(path.as_uri())
    yield path.as_uri()
    chromium.execute_cdp_cmd("Emulation.clearDeviceMetricsOverride", {})


def set_width(chromium, width):
    chromium.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", {
        "width": width, "height": 900, "deviceScaleFactor": 1, "mobile": False})


def set_scheme(chromium, scheme):
    chromium.execute_cdp_cmd("Emulation.setEmulatedMedia", {
        "features": [{"name": "prefers-color-scheme", "value": scheme}]})


def requests(chromium):
    messages = [json.loads(entry["message"])["message"] for entry in chromium.get_log("performance")]
    return [message["params"]["request"]["url"] for message in messages
            if message["method"] == "Network.requestWillBeSent"]


def test_is_quiet(chromium, page):
    assert chromium.execute_script("return document.querySelectorAll('script, img, b').length") == 0
    assert chromium.get_log("browser") == []
    assert {url for url in requests(chromium) if url != "data:,"} == {page}


@pytest.mark.parametrize("width", [400, 1280])
def test_does_not_scroll_sideways(chromium, page, width):
    set_width(chromium, width)
    chromium.execute_script("for (const e of document.querySelectorAll('details')) e.open = true")
    scrolled, shown = chromium.execute_script(
        "const e = document.documentElement; return [e.scrollWidth, e.clientWidth]")
    assert scrolled <= shown <= width


def test_schemes_differ(chromium, page):
    papers = set()
    for scheme in SCHEMES:
        set_scheme(chromium, scheme)
        papers.add(chromium.execute_script("return getComputedStyle(document.body).backgroundColor"))
    assert len(papers) == 2


@pytest.mark.parametrize("scheme", SCHEMES)
def test_texts_can_be_read(chromium, page, scheme):
    set_scheme(chromium, scheme)
    contrasts = chromium.execute_script(
        CONTRASTS, "h1, h2, p, code, a, th, td, caption, figcaption, summary, .verdict, .label, svg text")
    assert len(contrasts) > 100
    assert [(text, contrast) for text, contrast in contrasts if contrast < 4.5] == []


def test_texts_of_charts_have_room(chromium, page):
    set_width(chromium, 1280)
    assert chromium.execute_script("return document.querySelectorAll('svg text').length") > 100
    assert chromium.execute_script(OUTSIDE) == []
    assert chromium.execute_script(MEETING) == []
