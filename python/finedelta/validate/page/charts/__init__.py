"""Charts of the report as SVG, for a page that has page.css: colours and fonts are its classes."""

from __future__ import annotations

from finedelta.validate.page.charts.bars import bars
from finedelta.validate.page.charts.heat_map import heat_map
from finedelta.validate.page.charts.lines import lines
from finedelta.validate.page.charts.waterfall import waterfall
from finedelta.validate.page.document import Bars, Chart, HeatMap, Waterfall


def svg(chart: Chart) -> str:
    if isinstance(chart, Bars):
        return bars(chart)
    if isinstance(chart, Waterfall):
        return waterfall(chart)
    return heat_map(chart) if isinstance(chart, HeatMap) else lines(chart)
