"""The operations do what the command line does, and tell the same."""

import dataclasses
import json
import os
import threading

import pytest

import finedelta
from models import make_model, read_safetensors, read_tree, write_safetensors
from programs import run  # noqa: F401


def told(outcome):
    assert outcome.code == 0, outcome.err
    return json.loads(outcome.out)


def assert_same_report(report, expected):
    """`report` has the fields that --json tells, but for what a caller knows without."""
    fields = dataclasses.asdict(report)
    for name in ("ratio", "estimated_ratio"):
        if name in expected:
            fields[name] = getattr(report, name)
    for key in ("seconds", "archive", "output"):
        expected.pop(key, None)
    if hasattr(report, "tensors") and isinstance(report.tensors, tuple):
        for tensor, shown in zip(report.tensors, fields["tensors"], strict=True):
            if hasattr(tensor, "bits_per_weight"):
                shown["bits_per_weight"] = tensor.bits_per_weight
    assert json.loads(json.dumps(fields)) == expected


def test_pack_and_unpack_give_the_files_back(pair, tmp_path):
    base, tune = pair
    report = finedelta.pack(base, tune, tmp_path / "a.fd")
    assert report.archive_bytes == (tmp_path / "a.fd").stat().st_size
    assert report.ratio == report.input_bytes / report.archive_bytes
    finedelta.unpack(tmp_path / "a.fd", tmp_path / "out", base=base)
    assert read_tree(tmp_path / "out") == read_tree(tune)


def test_archives_are_those_of_the_program(run, pair, tmp_path):
    finedelta.pack(*pair, tmp_path / "a.fd", level=1, threads=2)
    run("pack", "-1", *pair, "-o", "b.fd")
    assert (tmp_path / "a.fd").read_bytes() == (tmp_path / "b.fd").read_bytes()


def test_reports_are_those_of_the_program(run, pair, tmp_path, monkeypatch):
    base, tune = pair
    monkeypatch.chdir(tmp_path)
    assert_same_report(
        finedelta.pack(base, tune, tmp_path / "a.fd"),
        told(run("pack", "--json", base, tune, "-o", "b.fd")),
    )
    assert_same_report(
        finedelta.unpack("a.fd", "out", base=base, sha256=True),
        told(run("unpack", "--json", "--sha256", base, "a.fd", "-o", "out2")),
    )
    assert_same_report(
        finedelta.verify("a.fd", base=[base]),
        told(run("verify", "--json", "a.fd", "--base", base)),
    )
    assert_same_report(finedelta.verify("a.fd"), told(run("verify", "--json", "a.fd")))
    assert_same_report(finedelta.plan(base, tune), told(run("plan", "--json", base, tune)))
    assert_same_report(
        finedelta.extract("a.fd", "weight[3:5]", "x.safetensors", base=base),
        told(run("extract", "--json", base, "a.fd", "weight[3:5]", "-o", "y.safetensors")),
    )
    assert read_tree(tmp_path / "out") == read_tree(tmp_path / "out2") == read_tree(tune)
    assert read_safetensors("x.safetensors") == read_safetensors("y.safetensors")


@pytest.mark.parametrize("options", [{}, {"bits": 2.0}, {"bits": 2.0, "progressive": True}])
def test_inspect_tells_what_the_program_tells(run, trained, tmp_path, options):
    finedelta.pack(*trained, tmp_path / "a.fd", **options)
    expected = told(run("inspect", "--json", "a.fd"))
    expected.pop("notes", None)
    assert_same_report(finedelta.inspect(tmp_path / "a.fd"), expected)


@pytest.mark.parametrize("rank", [False, True])
def test_diff_tells_what_the_program_tells(run, trained, tmp_path, rank):
    base, tune = trained
    (tune / "more.txt").write_text("more")
    write_safetensors(base / "old.safetensors", {"old": ("F16", [2], b"\0" * 4)})
    outcome = run("diff", "--json", *(["--rank"] if rank else []), base, tune)
    assert outcome.code == 3
    report = finedelta.diff(base, tune, rank=rank)
    assert_same_report(report, json.loads(outcome.out))
    assert (report.changed, report.only_in_base, report.files[0].path) == (2, 1, "more.txt")
    assert not report.identical and finedelta.diff(base, base).identical


def test_lora_tells_what_the_program_tells(run, trained, tmp_path):
    base, tune = trained
    assert_same_report(
        finedelta.lora(base, tune, tmp_path / "x", max_rank=3, plus_residual=True),
        told(run("lora", "--json", "--max-rank", "3", "--plus-residual", base, tune, "-o", "y")),
    )
    assert read_tree(tmp_path / "x") == read_tree(tmp_path / "y")
    finedelta.pack(base, tune, tmp_path / "a.fd", bits=2.0)
    assert_same_report(
        finedelta.lora_from_archive(tmp_path / "a.fd", tmp_path / "z"),
        told(run("lora", "--json", "--from-archive", "a.fd", "-o", "w")),
    )


@pytest.mark.parametrize(
    ("target", "option"),
    [("bits", "--bits"), ("size", "--size"), ("ratio", "--ratio"), ("max_error", "--max-error")],
)
def test_lossy_targets_are_those_of_the_program(run, trained, tmp_path, target, option):
    value = {"bits": 2.0, "size": 30000, "ratio": 8.0, "max_error": 0.5}[target]
    report = finedelta.pack(*trained, tmp_path / "a.fd", **{target: value})
    assert report.lossy
    told(run("pack", "--json", "--lossy", option, str(value), *trained, "-o", "b.fd"))
    assert (tmp_path / "a.fd").read_bytes() == (tmp_path / "b.fd").read_bytes()


def test_layers_of_a_progressive_archive(trained, tmp_path):
    base, tune = trained
    finedelta.pack(base, tune, tmp_path / "a.fd", bits=2.0, progressive=True)
    assert finedelta.unpack(tmp_path / "a.fd", tmp_path / "near", base=base, layers=1).lossy
    assert not finedelta.unpack(tmp_path / "a.fd", tmp_path / "out", base=base).lossy
    assert read_tree(tmp_path / "out") == read_tree(tune) != read_tree(tmp_path / "near")


def test_without_a_base(pair, tmp_path):
    assert finedelta.pack(None, pair[1], tmp_path / "a.fd").needed_bases == 0
    assert finedelta.verify(tmp_path / "a.fd").rebuilt


def test_several_bases(pair, tmp_path):
    base, tune = pair
    report = finedelta.pack([base, tune], tune, tmp_path / "a.fd")
    assert report.needed_bases == 2
    finedelta.unpack(tmp_path / "a.fd", tmp_path / "out", base=(tune, base))
    assert read_tree(tmp_path / "out") == read_tree(tune)


def test_paths_may_be_strings_bytes_or_paths_and_any_bytes(pair, tmp_path):
    base, tune = pair
    odd = os.fsencode(tmp_path) + b"/odd \xff\xc3.fd"
    finedelta.pack(str(base), os.fsencode(tune), odd)
    finedelta.pack(base, tune, os.fsdecode(odd), force=True)
    assert finedelta.verify(os.fsdecode(odd), base=os.fsencode(base)).rebuilt


def test_names_that_are_not_utf_8_come_back(pair, tmp_path):
    base, tune = pair
    with open(os.fsencode(tune) + b"/\xff.txt", "w") as file:
        file.write("x")
    finedelta.pack(base, tune, tmp_path / "a.fd")
    paths = [file.path for file in finedelta.inspect(tmp_path / "a.fd").files]
    assert os.fsdecode(b"\xff.txt") in paths


def test_notes_are_reported(pair, tmp_path):
    (pair[1] / ".git").mkdir()
    report = finedelta.pack(*pair, tmp_path / "a.fd")
    assert len(report.notes) == 1 and ".git" in report.notes[0]


def test_errors_have_their_kinds(pair, archive, tmp_path):
    base, tune = pair
    with pytest.raises(finedelta.UsageError, match="exists already") as caught:
        finedelta.pack(base, tune, archive)
    assert caught.value.exit_code == 2
    with pytest.raises(finedelta.FineDeltaError, match="nothing-here") as caught:
        finedelta.pack(base, tmp_path / "nothing-here", tmp_path / "b.fd")
    assert type(caught.value) is finedelta.FineDeltaError and caught.value.exit_code == 1
    with pytest.raises(finedelta.WrongBaseError, match="differs") as caught:
        finedelta.unpack(archive, tmp_path / "out", base=tune)
    assert caught.value.exit_code == 12
    content = bytearray(archive.read_bytes())
    content[len(content) // 2] ^= 1
    (tmp_path / "broken.fd").write_bytes(content)
    with pytest.raises(finedelta.CorruptError) as caught:
        finedelta.verify(tmp_path / "broken.fd")
    assert caught.value.exit_code == 13
    assert not (tmp_path / "out").exists() and not (tmp_path / "b.fd").exists()
    for kind in (finedelta.UsageError, finedelta.WrongBaseError, finedelta.CorruptError,
                 finedelta.NoSpaceError):
        assert issubclass(kind, finedelta.FineDeltaError)


def test_no_space_is_an_error_of_its_own(pair):
    # A write to /dev/full fails as one to a full disk does, but the output is not written there: a file
    # size limit of the process stands in for a disk that is full.
    import resource
    import signal

    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1000, limits[1]))
    try:
        with pytest.raises(finedelta.NoSpaceError) as caught:
            finedelta.pack(*pair, pair[0].parent / "a.fd")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
        signal.signal(signal.SIGXFSZ, handler)
    assert caught.value.exit_code == 14
    assert not (pair[0].parent / "a.fd").exists()


def test_two_targets_are_refused(pair, tmp_path):
    with pytest.raises(finedelta.UsageError, match="bits and ratio are both targets"):
        finedelta.pack(*pair, tmp_path / "a.fd", bits=1.0, ratio=3.0)


@pytest.mark.parametrize(
    "options", [{"level": 0}, {"level": 10}, {"memory": 1 << 20}, {"ratio": 0.0}, {"bits": -1.0},
                {"progressive": True}]
)
def test_what_makes_no_sense_is_refused(pair, tmp_path, options):
    with pytest.raises(finedelta.UsageError):
        finedelta.pack(*pair, tmp_path / "a.fd", **options)
    assert not (tmp_path / "a.fd").exists()


def test_types_are_checked(pair, tmp_path):
    with pytest.raises(TypeError):
        finedelta.pack(*pair, tmp_path / "a.fd", level="high")
    with pytest.raises(TypeError):
        finedelta.pack(5, pair[1], tmp_path / "a.fd")


def test_several_at_once(pair, tmp_path):
    base, tune = pair
    errors = []

    def work(number):
        try:
            finedelta.pack(base, tune, tmp_path / f"{number}.fd", threads=1)
            finedelta.unpack(tmp_path / f"{number}.fd", tmp_path / f"out{number}", base=base)
        except Exception as error:
            errors.append(error)

    threads = [threading.Thread(target=work, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not errors
    for number in range(4):
        assert read_tree(tmp_path / f"out{number}") == read_tree(tune)


def test_a_single_file(tmp_path):
    write_safetensors(tmp_path / "a.safetensors", {"x": ("F32", [2], b"\0" * 8)})
    finedelta.pack(None, tmp_path / "a.safetensors", tmp_path / "a.fd")
    finedelta.unpack(tmp_path / "a.fd", tmp_path / "b.safetensors")
    assert (tmp_path / "a.safetensors").read_bytes() == (tmp_path / "b.safetensors").read_bytes()


def test_a_base_from_the_local_hub_cache(pair, tmp_path):
    base, tune = pair
    commit = "0" * 40
    repository = tmp_path / "hf" / "hub" / "models--org--base"
    (repository / "refs").mkdir(parents=True)
    (repository / "refs" / "main").write_text(commit)
    (repository / "snapshots").mkdir()
    make_model(
        repository / "snapshots" / commit, read_safetensors(base / "model.safetensors")
    )
    finedelta.pack("org/base", tune, tmp_path / "a.fd")
    summary = finedelta.inspect(tmp_path / "a.fd")
    assert (summary.bases[0].name, summary.bases[0].revision) == ("org/base", commit)
    finedelta.unpack(tmp_path / "a.fd", tmp_path / "out")
    assert read_tree(tmp_path / "out") == read_tree(tune)
