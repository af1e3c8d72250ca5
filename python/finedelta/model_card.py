"""The README.md of a delta repository."""

from __future__ import annotations

import json
from typing import Any

from finedelta.downloads import ARCHIVE_NAME
from finedelta.extras import extra
from finedelta.reports import ArchiveSummary


def model_card(
    summary: ArchiveSummary, base_models: list[str], repo_id: str, older: str | None
) -> str:
    """The card of the archive that `summary` tells of. What the fine-tune's own card, `older`, says in its
    front matter is kept but where it is about the base and how to load the model; its text follows ours."""
    metadata, text = _parts(older) if older else ({}, "")
    parts = [_front_matter(metadata, base_models), _about(summary, base_models)]
    parts.append(_how_to_load(summary, base_models, repo_id))
    if text.strip():
        parts += ["## The fine-tune's own card\n", text]
    return "\n".join(parts)


def _parts(card: str) -> tuple[dict[str, Any], str]:
    """Front matter and text of a card; where the front matter makes no sense, it is text like the rest."""
    with extra("hub"):
        import yaml
        from huggingface_hub.repocard import REGEX_YAML_BLOCK
    match = REGEX_YAML_BLOCK.search(card)
    if not match:
        return {}, card
    try:
        metadata = yaml.safe_load(match.group(2))
    except yaml.YAMLError:
        return {}, card
    if metadata is None:  # nothing between the lines
        metadata = {}
    if not isinstance(metadata, dict) or not all(isinstance(key, str) for key in metadata):
        return {}, card
    return metadata, card[match.end() :]


def _front_matter(metadata: dict[str, Any], base_models: list[str]) -> str:
    with extra("hub"):
        import yaml
    merged = {key: value for key, value in metadata.items() if not key.startswith("base_model")}
    if base_models:
        merged["base_model"] = base_models if len(base_models) > 1 else base_models[0]
        merged["base_model_relation"] = "merge" if len(base_models) > 1 else "finetune"
    merged["library_name"] = "finedelta"
    tags = metadata.get("tags") or []
    others = [tag for tag in (tags if isinstance(tags, list) else [tags]) if tag != "finedelta"]
    merged["tags"] = [*others, "finedelta"]
    return f"---\n{yaml.safe_dump(merged, sort_keys=False, allow_unicode=True)}---\n"


def _about(summary: ArchiveSummary, base_models: list[str]) -> str:
    bases = " and ".join(f"`{name}`" for name in base_models)
    lines = [
        f"# A fine-tune of {bases}, stored as what it adds" if bases else "# A model, stored small",
        "",
        f"The model is in `{ARCHIVE_NAME}`, an archive of finedelta. There are no other weights here;"
        " configuration and tokenizer load from this repository as usual.",
        "",
        "| | |",
        "|---|---:|",
        f"| archive | {summary.archive_bytes:,} bytes |",
        f"| fine-tune | {summary.input_bytes:,} bytes |",
        f"| ratio | {summary.ratio or 0:.1f} |",
        *(f"| revision of `{base.name}` | `{base.revision}` |"
          for base in summary.bases if base.name in base_models and (base.revision or "").isalnum()),
        "",
        *_exactness(summary),
        "",
    ]
    return "\n".join(lines)


def _exactness(summary: ArchiveSummary) -> list[str]:
    errors = [tensor.error.relative_error for tensor in summary.tensors if tensor.error]
    inexact = (
        f"{len(errors)} of {len(summary.tensors)} tensors differ from the fine-tune's, by a relative error of"
        f" {max(errors, default=0):.3g} at most (the root of the squared error over that of what the"
        " fine-tune changed)"
    )
    if summary.lossy:
        return [f"**LOSSY**: {inexact}. All else comes out byte for byte."]
    exact = "What comes out is the fine-tune byte for byte; the SHA-256 of every file is checked."
    if summary.progressive:
        return [exact, "", f"With `layers=1` less is read, and what comes out is **LOSSY**: {inexact}."]
    return [exact]


def _how_to_load(summary: ArchiveSummary, base_models: list[str], repo_id: str) -> str:
    # A base whose name the archive does not know is not found through it.
    unknown = base_models and not all(base.name for base in summary.bases)
    names = base_models if len(base_models) > 1 else base_models[0] if base_models else None
    base = f"base={json.dumps(names)}, " if unknown else ""
    return f"""## How to load it

`pip install 'finedelta[hub,transformers]'`, then

```python
import finedelta

model = finedelta.transformers.from_pretrained({json.dumps(repo_id)}, {base}download=True)
```

This downloads archive and base unless they are in the local Hugging Face cache, and rebuilds the model
once, in a cache of its own. `finedelta.materialize` with the same arguments gives the directory.
"""
