"""Delta repositories: what to upload to the Hugging Face Hub in place of a fine-tuned model."""

from __future__ import annotations

import os
import pathlib
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager

from finedelta.arguments import Models, Path
from finedelta.downloads import ARCHIVE_NAME, is_repository, told
from finedelta.errors import UsageError, system_error
from finedelta.extras import extra
from finedelta.files import put
from finedelta.materializing import require_directory
from finedelta.model_card import model_card
from finedelta.operations import inspect, pack, unpack
from finedelta.progress import Progress
from finedelta.reports import ArchiveSummary

CARD_NAME = "README.md"

_READABLE_ENDINGS = (".json", ".jinja", ".model", ".py", ".tiktoken", ".txt")
_READABLE_BEGINNINGS = ("LICENSE", "NOTICE")


def prepare(
    archive: Path | tuple[Models, Path],
    output: Path,
    *,
    base: Models = None,
    base_model: str | list[str] | None = None,
    repo_id: str = "ORG/NAME",
    force: bool = False,
    threads: int = 0,
    memory: int | None = None,
    progress: Progress = None,
) -> pathlib.Path:
    """Makes the directory `output` a delta repository: the archive (or one that is made of (base,
    fine-tune)), the fine-tune's configuration, tokenizer and licence files, byte for byte, and a model card.

    The model is rebuilt beside `output` and removed again, so what is published is known to come back; `base`
    is where the archive's base is, as for `unpack`. `base_model` is its name on the hub, which has to be
    given where the archive does not record it; `repo_id` is what the card's example calls the repository.
    `force` replaces a delta repository that is there. After an error nothing has changed.
    """
    with extra("hub"):
        import huggingface_hub  # noqa: F401  (the model card is written at the very end)
    target = pathlib.Path(os.fsdecode(output)).absolute()
    _refuse_to_replace(target, force)
    with _temporary_beside(target) as folder:
        made, model = folder / "repository", folder / "model"
        made.mkdir()
        delta = made / ARCHIVE_NAME
        if isinstance(archive, tuple):
            base, fine_tune = archive
            pack(base, fine_tune, delta, threads=threads, memory=memory, progress=progress)
        else:
            inspect(archive, memory=memory)  # refuses what is no archive
            shutil.copyfile(archive, delta)
        summary = inspect(delta, memory=memory)
        require_directory(delta, summary)
        base_models = _names_of_bases(summary, base_model)
        unpack(delta, model, base=base, sha256=True, threads=threads, memory=memory, progress=progress)
        for file in filter(_is_readable, model.iterdir()):
            shutil.copy(file, made)
        card = model_card(summary, base_models, repo_id, _older_card(model))
        (made / CARD_NAME).write_bytes(card.encode())
        put(made, target, folder / "replaced")
    return target


def push(
    directory: Path,
    repo_id: str,
    *,
    private: bool | None = None,
    revision: str | None = None,
    commit_message: str = "Upload a fine-tune as a finedelta archive",
    token: str | bool | None = None,
) -> str:
    """Uploads the delta repository `directory` to `repo_id`, which is made (`private` or not) if it is not
    there yet, on the branch `revision`. Returns the address of the commit. Files that are in `repo_id` only
    stay. `token` as for huggingface_hub: None is that of the login."""
    folder = pathlib.Path(os.fsdecode(directory))
    if not (folder / ARCHIVE_NAME).is_file():
        raise UsageError(
            f"{str(folder)!r} has no {ARCHIVE_NAME}: make a delta repository with finedelta.hub.prepare"
        )
    with extra("hub"):
        from huggingface_hub import HfApi
    api = HfApi(token=token)
    with told(f"uploading {str(folder)!r} to {repo_id!r}"):
        api.create_repo(repo_id, private=private, exist_ok=True)
        if revision is not None:
            api.create_branch(repo_id, branch=revision, exist_ok=True)
        commit = api.upload_folder(
            repo_id=repo_id, folder_path=folder, revision=revision, commit_message=commit_message
        )
    return str(commit.commit_url)


def _refuse_to_replace(target: pathlib.Path, force: bool) -> None:
    if not os.path.lexists(target):
        return
    if not force:
        raise UsageError(f"{str(target)!r} exists already; force=True replaces it")
    if target.is_symlink() or not (target / ARCHIVE_NAME).is_file():
        raise UsageError(f"{str(target)!r} is no delta repository, so it is not replaced; remove it first")


@contextmanager
def _temporary_beside(target: pathlib.Path) -> Iterator[pathlib.Path]:
    try:
        with tempfile.TemporaryDirectory(
            prefix=f".{target.name}.finedelta-", dir=target.parent
        ) as folder:
            yield pathlib.Path(folder)
    except OSError as error:
        raise system_error(error, f"cannot make {str(target)!r}: {error.strerror or error}") from error


def _names_of_bases(summary: ArchiveSummary, base_model: str | list[str] | None) -> list[str]:
    if isinstance(base_model, str):
        names = [base_model]
    elif base_model is not None:
        names = base_model
    elif all(base.name for base in summary.bases):
        names = [base.name for base in summary.bases if base.name]
    else:
        raise UsageError(
            "the archive does not record its base's name; say with base_model= what it is called on the hub"
        )
    for name in names:
        if not is_repository(name):
            raise UsageError(f"the base {name!r} is not the name of a repository of the hub (org/name)")
    return names


def _is_readable(file: pathlib.Path) -> bool:
    """Whether it is of use without the weights. An index of shards is not: it would have loaders look for
    them."""
    return (
        file.is_file()
        and file.name.endswith(_READABLE_ENDINGS) | file.name.startswith(_READABLE_BEGINNINGS)
        and not file.name.endswith(".index.json")
    )


def _older_card(model: pathlib.Path) -> str | None:
    card = model / CARD_NAME
    # What is not UTF-8 is only replaced here: the archive has the file as it is.
    return card.read_bytes().decode("utf-8-sig", "replace") if card.is_file() else None
