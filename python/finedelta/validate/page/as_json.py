"""The report as JSON: all that was measured, and the page's sections with their verdicts."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import Any

from finedelta.validate.page.document import Block, Document, Paragraph, Table
from finedelta.validate.run import Results


def as_json(results: Results, document: Document) -> str:
    shown = {
        "title": document.title,
        "labels": document.labels,
        "sections": [
            {"title": section.title, "blocks": list(map(_block, section.blocks))}
            for section in document.sections
        ],
    }
    return json.dumps({**asdict(results), "report": shown}, indent=1) + "\n"


def _block(block: Block) -> dict[str, Any]:
    """Charts are tables here."""
    if isinstance(block, Paragraph):
        return {"paragraph": block.text}
    table = block if isinstance(block, Table) else block.table()
    return {"table": table.caption, "head": table.head, "rows": asdict(table)["rows"]}
