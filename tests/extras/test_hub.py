"""Delta repositories: made, uploaded (to a server of our own that speaks as the hub does), loaded."""

import inspect
import os
import re
import shutil
import subprocess
import sys
import time
from pathlib import Path

import huggingface_hub
import pytest
import transformers
from huggingface_hub import HfApi, ModelCard

import finedelta
from hub_cache import COMMIT, put_in_cache
from models import read_tree, write_safetensors

CARD = """---
license: other
license_name: strange
language: [en, de]
tags: [chat]
base_model: someone/else
library_name: transformers
datasets: 'org/a: "b" #c'
model_name: "# - {yes}: \\u2028 'x'"
---
# Très bon

It was trained for three epochs.
"""


@pytest.fixture
def pair(trained):
    """A fine-tune with a card and what else such folders have, and its base in the Hugging Face cache as
    org/base."""
    base, tune = trained("llama", max_shard_size="20KB")
    (tune / "README.md").write_text(CARD)
    (tune / "LICENSE").write_text("Be nice.")
    (tune / "optimizer.pt").write_bytes(b"state")
    (tune / "runs").mkdir()
    (tune / "runs" / "log.json").write_text("{}")
    for folder in (base, tune):  # large enough to be stored as a reference to the base's
        (folder / "vocab[1].txt").write_text("word\n" * 5000)
    put_in_cache(base, "org/base")
    return "org/base", tune


@pytest.fixture
def repo(pair, tmp_path):
    return finedelta.hub.prepare(pair, tmp_path / "repo")


def card_of(repo):
    return ModelCard.load(repo / "README.md")


def test_what_is_in_a_delta_repository(pair, repo):
    _, tune = pair
    files = read_tree(repo)
    assert set(files) == {"README.md", "delta.fd", "config.json", "generation_config.json", "tokenizer.json",
                          "tokenizer_config.json", "LICENSE", "vocab[1].txt"}
    for name in set(files) - {"README.md", "delta.fd"}:
        assert files[name] == (tune / name).read_bytes()
    assert repo.stat().st_mode & 0o777 == tune.stat().st_mode & 0o777
    assert [path.name for path in repo.parent.iterdir() if "finedelta-" in path.name] == []


def test_configuration_and_tokenizer_load_as_usual(pair, repo):
    _, tune = pair
    assert transformers.AutoConfig.from_pretrained(repo).to_diff_dict() == \
        transformers.AutoConfig.from_pretrained(tune).to_diff_dict()
    assert transformers.AutoTokenizer.from_pretrained(repo)("w3 w5").input_ids == [3, 5]
    assert transformers.GenerationConfig.from_pretrained(repo).eos_token_id == 2


def test_an_archive_gives_the_same_repository(pair, repo, tmp_path):
    finedelta.pack(*pair, tmp_path / "a.fd")
    other = finedelta.hub.prepare(tmp_path / "a.fd", tmp_path / "other")
    assert read_tree(other) == read_tree(repo)
    folder = finedelta.materialize(repo)
    assert read_tree(folder) == read_tree(pair[1])


def test_the_front_matter(pair, repo):
    data = card_of(repo).data.to_dict()
    assert data.pop("tags") == ["chat", "finedelta"]
    assert data == {
        "license": "other", "license_name": "strange", "language": ["en", "de"], "base_model": "org/base",
        "base_model_relation": "finetune", "library_name": "finedelta", "datasets": 'org/a: "b" #c',
        "model_name": "# - {yes}: \u2028 'x'",
    }


def test_the_text(pair, repo):
    text = card_of(repo).text
    archive, model = (repo / "delta.fd").stat().st_size, sum(map(len, read_tree(pair[1]).values()))
    assert f"| archive | {archive:,} bytes |" in text and f"| fine-tune | {model:,} bytes |" in text
    assert f"| ratio | {model / archive:.1f} |" in text
    assert f"| revision of `org/base` | `{COMMIT}` |" in text
    assert text.endswith("## The fine-tune's own card\n\n# Très bon\n\nIt was trained for three epochs.\n")
    assert "LOSSY" not in text


@pytest.mark.parametrize(("card", "kept"), [
    (None, ""),
    ("", ""),
    ("# Only text\r\n", "# Only text\r\n"),
    ("---\nno: [yaml\n---\nText\n", "---\nno: [yaml\n---\nText\n"),
    ("---\n- a list\n---\nText\n", "---\n- a list\n---\nText\n"),
    ("---\n1: number\n---\nText\n", "---\n1: number\n---\nText\n"),
    ("---\n---\nText\n", "---\n---\nText\n"),
    ("---\n\n---\nText\n", "Text\n"),
    ("\ufeff---\nlicense: mit\n---\nText\n", "Text\n"),
])
def test_cards_of_all_kinds(pair, tmp_path, card, kept):
    _, tune = pair
    (tune / "README.md").unlink()
    if card is not None:
        (tune / "README.md").write_bytes(card.encode())
    repo = finedelta.hub.prepare(pair, tmp_path / "repo")
    text = (repo / "README.md").read_bytes().decode()
    assert text.endswith("## The fine-tune's own card\n\n" + kept if kept else "gives the directory.\n")
    assert ("own card" in text) == bool(kept)
    data = card_of(repo).data
    assert data.base_model == "org/base" and data.tags == ["finedelta"]
    assert data.license == ("mit" if card and "mit" in card else None)


def test_a_card_that_is_not_utf_8_is_in_the_archive(pair, tmp_path):
    _, tune = pair
    (tune / "README.md").write_bytes(b"caf\xe9")
    repo = finedelta.hub.prepare(pair, tmp_path / "repo")
    assert (repo / "README.md").read_text().endswith("caf\ufffd")
    assert (finedelta.materialize(repo) / "README.md").read_bytes() == b"caf\xe9"


def test_names_that_yaml_may_take_for_something_else(pair, tmp_path):
    for name in ("no/on", "1e3/0x10", "123", "null", "a.b/x_-", "2024-01-01"):
        repo = finedelta.hub.prepare(pair, tmp_path / "repo", base_model=name, force=True)
        assert card_of(repo).data.base_model == name


def test_names_that_no_repository_has(pair, tmp_path):
    for name in ("", "org/base@main", "a b", "org/`x`", "org/x\ny", "../x", "-a/b", "a/b/c", "ö/x"):
        with pytest.raises(finedelta.UsageError, match="is not the name of a repository of the hub"):
            finedelta.hub.prepare(pair, tmp_path / "repo", base_model=name)
        assert not (tmp_path / "repo").exists()


def test_a_merge_has_two_bases(pair, tmp_path):
    _, tune = pair
    (tmp_path / "second").mkdir()
    write_safetensors(tmp_path / "second" / "model.safetensors", {"t": ("U8", [4096], bytes(range(256)) * 16)})
    shutil.copy(tmp_path / "second" / "model.safetensors", tune / "extra.safetensors")
    put_in_cache(tmp_path / "second", "org/second")
    repo = finedelta.hub.prepare((["org/base", "org/second"], tune), tmp_path / "repo")
    data = card_of(repo).data
    assert sorted(data.base_model) == ["org/base", "org/second"]
    assert data.base_model_relation == "merge"


def test_without_a_base(pair, tmp_path):
    repo = finedelta.hub.prepare((None, pair[1]), tmp_path / "repo")
    data = card_of(repo).data
    assert data.base_model is None and "base_model_relation" not in data
    assert read_tree(finedelta.materialize(repo)) == read_tree(pair[1])


def test_lossy_archives_say_so(pair, tmp_path):
    finedelta.pack(*pair, tmp_path / "a.fd", max_error=0.5)
    text = card_of(finedelta.hub.prepare(tmp_path / "a.fd", tmp_path / "repo")).text
    worst = max(t.error.relative_error for t in finedelta.inspect(tmp_path / "a.fd").tensors if t.error)
    assert "**LOSSY**" in text and f"a relative error of {worst:.3g} at most" in text
    assert "byte for byte; the SHA-256" not in text
    finedelta.pack(*pair, tmp_path / "p.fd", max_error=0.5, progressive=True)
    text = card_of(finedelta.hub.prepare(tmp_path / "p.fd", tmp_path / "repo2")).text
    assert "byte for byte; the SHA-256" in text
    assert "`layers=1` less is read, and what comes out is **LOSSY**" in text


def run_example(repo, repo_id):
    """The model that the card's code gives, with the directory in place of the repository."""
    (block,) = re.findall(r"```python\n(.*?)```", (repo / "README.md").read_text(), re.DOTALL)
    assert repr(repo_id).replace("'", '"') in block
    names = {}
    exec(block.replace(repo_id, str(repo)), names)
    return names["model"]


def test_the_cards_code_runs(pair, tmp_path, assert_same_model):
    repo = finedelta.hub.prepare(pair, tmp_path / "repo", repo_id="me/my-tune")
    expected = transformers.LlamaForCausalLM.from_pretrained(pair[1])
    assert_same_model(run_example(repo, "me/my-tune"), expected)


def test_the_cards_code_names_a_base_that_the_archive_does_not_know(pair, tmp_path, assert_same_model):
    base = Path(os.environ["HF_HOME"], "hub", "models--org--base", "snapshots", COMMIT)
    shutil.copytree(base, tmp_path / "plain")
    with pytest.raises(finedelta.UsageError, match="say with base_model= what it is called on the hub"):
        finedelta.hub.prepare((tmp_path / "plain", pair[1]), tmp_path / "repo")
    repo = finedelta.hub.prepare((tmp_path / "plain", pair[1]), tmp_path / "repo", base_model="org/base")
    assert 'base="org/base", ' in (repo / "README.md").read_text()
    assert_same_model(run_example(repo, "ORG/NAME"), transformers.LlamaForCausalLM.from_pretrained(pair[1]))


def test_what_is_there_is_not_written_over(pair, repo, tmp_path):
    before = read_tree(repo)
    with pytest.raises(finedelta.UsageError, match="repo' exists already; force=True replaces it"):
        finedelta.hub.prepare(pair, repo)
    assert read_tree(repo) == before
    (pair[1] / "LICENSE").unlink()
    finedelta.hub.prepare(pair, repo, force=True)
    assert set(before) - set(read_tree(repo)) == {"LICENSE"}
    with pytest.raises(finedelta.UsageError, match="tune' is no delta repository, so it is not replaced"):
        finedelta.hub.prepare(pair, pair[1], force=True)
    with pytest.raises(finedelta.FineDeltaError, match="No such file or directory"):
        finedelta.hub.prepare(pair, tmp_path / "nowhere" / "repo")


@pytest.mark.parametrize("broken", ["put", "unpack"])
def test_after_an_error_nothing_has_changed(pair, repo, monkeypatch, broken):
    before = read_tree(repo)

    def fail(made, target, *rest, **options):
        raise finedelta.NoSpaceError("full")

    monkeypatch.setattr(finedelta.hub, broken, fail)
    with pytest.raises(finedelta.NoSpaceError):
        finedelta.hub.prepare(pair, repo, force=True)
    assert read_tree(repo) == before
    assert [path.name for path in repo.parent.iterdir() if "finedelta-" in path.name] == []


def test_what_makes_no_repository(pair, tmp_path):
    with pytest.raises(finedelta.UsageError, match="holds a single file"):
        finedelta.hub.prepare((None, next(pair[1].glob("*.safetensors"))), tmp_path / "repo")
    with pytest.raises(finedelta.CorruptError):
        finedelta.hub.prepare(pair[1] / "config.json", tmp_path / "repo")
    with pytest.raises(finedelta.FineDeltaError, match="missing.fd"):
        finedelta.hub.prepare(tmp_path / "missing.fd", tmp_path / "repo")
    assert not (tmp_path / "repo").exists()


COMMIT_URL = "https://huggingface.co/me/tune/commit/1"


@pytest.fixture
def calls(monkeypatch):
    """What was called of HfApi, each checked against its real signature."""
    seen = []

    def fake(name):
        real = inspect.signature(getattr(HfApi, name))

        def call(self, *arguments, **options):
            bound = real.bind(self, *arguments, **options).arguments
            seen.append((name, {key: value for key, value in bound.items() if key != "self"}, self.token))
            return huggingface_hub.CommitInfo(commit_url=COMMIT_URL, commit_message="", commit_description="",
                                              oid="1")

        monkeypatch.setattr(HfApi, name, call)

    for name in ("create_repo", "create_branch", "upload_folder"):
        fake(name)
    return seen


def test_push_calls_the_hub(repo, calls):
    assert finedelta.hub.push(repo, "me/tune", private=True, token="hf_x") == COMMIT_URL
    assert calls == [
        ("create_repo", {"repo_id": "me/tune", "private": True, "exist_ok": True}, "hf_x"),
        ("upload_folder", {"repo_id": "me/tune", "folder_path": repo, "revision": None,
                           "commit_message": "Upload a fine-tune as a finedelta archive"}, "hf_x"),
    ]
    del calls[:]
    finedelta.hub.push(str(repo), "me/tune", revision="v2", commit_message="Second")
    assert [name for name, *_ in calls] == ["create_repo", "create_branch", "upload_folder"]
    assert calls[1][1] == {"repo_id": "me/tune", "branch": "v2", "exist_ok": True}
    assert calls[2][1]["revision"] == "v2" and calls[2][1]["commit_message"] == "Second"


def test_push_takes_delta_repositories_only(pair, calls):
    with pytest.raises(finedelta.UsageError, match=r"tune' has no delta\.fd: make a delta repository with"):
        finedelta.hub.push(pair[1], "me/tune")
    assert calls == []


def test_push_fails_in_one_sentence(repo):
    with pytest.raises(finedelta.FineDeltaError) as caught:
        finedelta.hub.push(repo, "me/tune")
    assert re.fullmatch(r"uploading '.*repo' to 'me/tune' failed: .*offline.*", str(caught.value))


def test_a_repository_in_the_local_cache(pair, repo):
    put_in_cache(repo, "me/tune")
    for name in ("me/tune", "me/tune@main", f"me/tune@{COMMIT}"):
        assert read_tree(finedelta.materialize(name)) == read_tree(pair[1])


def test_a_repository_that_is_not_there(pair):
    with pytest.raises(finedelta.FineDeltaError) as caught:
        finedelta.materialize("me/nothing@v1")
    assert str(caught.value) == (
        "there is no file or directory 'me/nothing@v1', and no delta repository of that name in the local"
        " Hugging Face cache; pass download=True to fetch it from the hub")
    with pytest.raises(finedelta.FineDeltaError, match="^finding 'me/nothing' failed: .*check your connection"):
        finedelta.materialize("me/nothing", download=True)


@pytest.fixture
def hub(tmp_path):
    """The environment of a process for which a server on this machine is the hub."""
    port = tmp_path / "port"
    server = subprocess.Popen([sys.executable, Path(__file__).with_name("hub_server.py"), port])
    try:
        while not (port.exists() and port.read_text()):
            assert server.poll() is None
            time.sleep(0.05)
        yield {**os.environ, "HF_HUB_OFFLINE": "0", "HF_ENDPOINT": f"http://127.0.0.1:{port.read_text()}",
               "HF_HUB_DISABLE_XET": "1", "NO_PROXY": "127.0.0.1", "no_proxy": "127.0.0.1",
               "HF_HUB_DISABLE_TELEMETRY": "1"}
    finally:
        server.kill()
        server.wait()


def python(script, environment):
    done = subprocess.run([sys.executable, "-c", script], env=environment, capture_output=True, text=True,
                          timeout=100)
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines()


def test_there_and_back_again(pair, hub, tmp_path):
    """Base and delta repository go up, and come down to a machine that has neither."""
    finedelta.pack(tmp_path / "base", pair[1], tmp_path / "unnamed.fd")
    script = f"""
import finedelta, huggingface_hub, os
base = huggingface_hub.snapshot_download("org/base", local_files_only=True)
api = huggingface_hub.HfApi(token="hf_right")
api.create_repo("org/base")
commit = api.upload_folder(repo_id="org/base", folder_path=base).oid
# A base is recorded as the hub calls it.
os.rename(base, os.path.join(os.path.dirname(base), commit))
open(os.path.join(os.path.dirname(base), "../refs/main"), "w").write(commit)
finedelta.hub.prepare(("org/base", {str(pair[1])!r}), {str(tmp_path / "up")!r}, repo_id="me/tune")
print(finedelta.hub.push({str(tmp_path / "up")!r}, "me/tune", token="hf_right"))
finedelta.hub.push({str(tmp_path / "up")!r}, "me/tune", token="hf_right", revision="v1")
try:
    finedelta.hub.push({str(tmp_path / "up")!r}, "me/tune", token="hf_wrong")
except finedelta.FineDeltaError as error:
    print(error)
api.upload_file(path_or_fileobj=b"later", path_in_repo="later.txt", repo_id="org/base")
"""
    url, refused = python(script, hub)
    assert re.fullmatch(r"http://127\.0\.0\.1:\d+/me/tune/commit/[0-9a-f]{40}", url)
    assert re.fullmatch(r"uploading '.*up' to 'me/tune' failed: .*401.*", refused)

    fresh = {**hub, "HF_HOME": str(tmp_path / "fresh"), "FINEDELTA_CACHE": str(tmp_path / "fresh-models")}
    missing, folder, again, branch = python("""
import finedelta
try:
    finedelta.materialize("me/tune")
except finedelta.FineDeltaError as error:
    print(error)
print(finedelta.materialize("me/tune", download=True))
print(finedelta.materialize("me/tune"))
print(finedelta.materialize("me/tune@v1", download=True))
""", fresh)
    assert missing.endswith("pass download=True to fetch it from the hub")
    assert folder == again == branch
    assert read_tree(Path(folder)) == read_tree(pair[1])
    assert not list((tmp_path / "fresh").rglob("later.txt"))  # the base is the recorded revision

    # An archive that does not know its base's name, on yet another machine.
    other = {**hub, "HF_HOME": str(tmp_path / "other"), "FINEDELTA_CACHE": str(tmp_path / "other-models")}
    (folder,) = python(f"""
import finedelta
print(finedelta.materialize({str(tmp_path / "unnamed.fd")!r}, base="org/base", download=True))
""", other)
    assert read_tree(Path(folder)) == read_tree(pair[1])
    names = {path.name for path in (tmp_path / "other").rglob("*") if path.is_file()}
    assert "vocab[1].txt" in names and "later.txt" not in names  # what is needed
