"""Documents for the tests of the validation report's forms."""

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

HOSTILE = "</title></svg><script>alert('x')</script>|`*_a_*&lt;\"\0\x1b\u202e\ud800\n# [b](//c)"
"""A name of a tensor or a file."""

LONG = "model.layers.31.mixture_of_experts.W.MMMMMMMM@@@@." + "漢字🙂" * 12 + ".weight"


def heat_map(name, rows=32, columns=8):
    values = tuple(
        tuple(None if (row + column) % 7 == 0 else (row * columns + column) / (rows * columns)
              for column in range(columns))
        for row in range(rows))
    texts = tuple(tuple("" if value is None else f"{100 * value:.2f} %" for value in row) for row in values)
    return HeatMap(f"Saved, layer by layer: {name}", "layer", tuple(f"{name}{row}" for row in range(rows)),
                   tuple(f"{name}_proj{column}" for column in range(columns)), values, texts)


def lines(names):
    """Lines that end close to each other."""

    def point(x, seconds):
        return Point(x, seconds, (f"{x} MB", f"{seconds:.3f} s"), is_measured=x < 9000)

    return Lines("Time against size", ("size (MB)", "time (s)"), tuple(
        Line(name, tuple(point(x, x * (9 + number) / 1e4) for x in (1, 30, 500, 13_500)))
        for number, name in enumerate(names)))


def every_block(name="q_proj"):
    """A document with a block of each kind, in which `name` is everywhere."""
    bars = Bars(f"Sizes of {name}", ("tool", "bytes"), (
        Bar("finedelta", 31.0, "31 B", True), Bar(name, 48.2, f"48.2 B {name}"), Bar("none", 0, "0 B")))
    waterfall = Waterfall(f"Bytes of {name}", (
        WaterfallStep("attention", 4_294_967_296, 1_302_000_000), WaterfallStep(name, 2_100_000, 2_180_000)))
    table = Table(f"Tensors like {name}", ("tensor", "type", "bytes", "verdict"), (
        (name, "BF16", "33,554,432", Verdict(True, f"met: {name}")),
        ("norm", "F32", "512", Verdict(False, "not met: 41 s, at most 30 s")),
        ("bias", "F32", "7", Verdict(None, "not measured"))), 2)
    return Document(
        f"Validation of {name}",
        (f"SYNTHETIC: made-up weights for {name}", "no colon"),
        (Paragraph(f"Of `{name}` and {name}, all came back."), table),
        (Section("Sizes", (bars, waterfall)), Section(f"Layers of {name}", (heat_map(name),)),
         Section("Sizes", (Paragraph("Once more."), lines([name, *"abcdef"])))))
