"""Archives for the package transformers."""

from __future__ import annotations

import json
import pathlib
from typing import Any

from finedelta.arguments import Models, Path
from finedelta.cache import DEFAULT_CACHE_SIZE
from finedelta.errors import UsageError
from finedelta.extras import extra
from finedelta.materializing import materialize


def from_pretrained(
    archive_or_repo: Path,
    base: Models = None,
    *,
    auto_class: str | None = None,
    cache: Path | None = None,
    cache_size: int = DEFAULT_CACHE_SIZE,
    download: bool = False,
    layers: int = 0,
    **kwargs: Any,
) -> Any:
    """The model in an archive: `materialize`, whose arguments these are, and `from_pretrained` of a class of
    transformers: of `auto_class` ("AutoModelForCausalLM"), or else of the one that the model's config.json
    names, and AutoModel where transformers has none of that name. It gets all other arguments.
    """
    with extra("transformers"):
        import torch  # noqa: F401  (transformers can be imported without, but loads nothing then)
        import transformers
    if auto_class is not None and not hasattr(transformers, auto_class):
        raise UsageError(f"transformers {transformers.__version__} has no class {auto_class!r}")
    folder = materialize(
        archive_or_repo, base, cache=cache, cache_size=cache_size, download=download, layers=layers
    )
    kind = getattr(transformers, auto_class or _architecture(folder), transformers.AutoModel)
    return kind.from_pretrained(str(folder), **kwargs)


def _architecture(model: pathlib.Path) -> str:
    """The class that the model was saved from, as far as its configuration says so."""
    try:
        name = json.loads((model / "config.json").read_text())["architectures"][0]
    except (OSError, ValueError, LookupError, TypeError):
        return "AutoModel"
    return str(name)
