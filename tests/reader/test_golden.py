"""The golden archives: this reader gives the same bytes, and they use all that the format has."""

import hashlib
import itertools
import re
import shutil
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import adaptive
import coders
import wavelet
import wavelet_tree
from archive import Archive, open_archive
from bits import Array
from checkpoints import Pair, tree
from finedelta_reader import check, unpack
from floats import FLOATS
from losses import compare, near
from primitives import DTYPES, Cursor
from range_coder import Model, RangeDecoder
from records import Coder, Kind, Predictor, encode_body
from wavelet_tree import MOST_CODED_SKEW

GOLDEN = Path(__file__).resolve().parents[1] / "golden"
ARCHIVES = sorted(GOLDEN.glob("*/*.fd"))


def archive_id(path: Path) -> str:
    return f"{path.parent.name}-{path.stem}"


def bases_of(path: Path) -> list[Path]:
    return sorted(path.parent.glob("base*"))


def fine_tune_of(path: Path, scratch: Path) -> Path:
    """A copy of the fine-tune, with the empty directories, of which git keeps none."""
    (original,) = path.parent.glob("fine-tune*")
    if original.is_file():
        return original
    copy = scratch / "fine-tune"
    shutil.copytree(original, copy)
    for file in open_archive(path.read_bytes()).index.files:
        if file.kind == Kind.EMPTY_DIRECTORY:
            (copy / file.path.decode()).mkdir(parents=True, exist_ok=True)
    return copy


@pytest.mark.parametrize("path", ARCHIVES, ids=archive_id)
def test_golden_archives_unpack(path: Path, tmp_path: Path) -> None:
    archive = path.read_bytes()
    unpack(bases_of(path), archive, tmp_path / "out")
    opened = check(archive)
    assert encode_body(opened.index) == opened.body
    fine_tune = fine_tune_of(path, tmp_path)
    if opened.index.progressive or not opened.index.lossy:
        assert tree(tmp_path / "out") == tree(fine_tune)
    if opened.index.lossy:
        unpack(bases_of(path), archive, tmp_path / "first", layers=1)
        check_losses(Pair(path.stem, bases_of(path), fine_tune), opened, tmp_path / "first")


def check_losses(pair: Pair, opened: Archive, out: Path) -> None:
    """The hashes vouch for the shards that come out; what else there is must be as it was."""
    found = compare(pair, opened, out)
    assert all(near(found[tensor.name], tensor.loss) for tensor in opened.index.tensors())
    packed, unpacked = tree(pair.fine_tune), tree(out)
    for file in opened.index.shards():
        name = "" if opened.index.single_file else file.path.decode()
        content, _ = packed.pop(name)
        assert content is not None
        assert hashlib.sha256(content).digest() == file.packed_sha256
        del unpacked[name]
    assert packed == unpacked


Seen = dict[str, set[Any]]


def note_index(archive: Archive, seen: Seen) -> None:
    index = archive.index
    seen["single file"].add(index.single_file)
    seen["bases"].add(len(index.bases))
    seen["lossy"].add(index.lossy)
    seen["progressive"].add(index.progressive)
    seen["second layer"] |= {(c.coder, c.tensor.predictor) for c in index.second_layer}
    seen["lossy single file"] |= {index.single_file} if index.lossy else set()
    seen["factors"] |= {record[:1] == b"\0" for record in archive.factors.values()}
    for tensor in index.tensors():
        if index.lossy:
            seen["loss"].add((tensor.loss is None, tensor.predictor))
    for file in index.files:
        seen["kind"].add(file.kind)
        seen["executable"].add(file.executable)
        if file.kind == Kind.SHARD:
            seen["canonical"].add(file.canonical)
            seen["metadata"].add(file.canonical and bool(file.header))
    for chunk in index.chunks:
        if not chunk.of_tensor:
            seen["side coder"].add(chunk.coder)
            continue
        tensor = chunk.tensor
        bases = [index.base_tensors[number] for number in tensor.base_tensors]
        seen["dtype"].add(tensor.dtype.name)
        seen["coder"].add(chunk.coder)
        seen["predictor"].add(tensor.predictor)
        seen["coded dtype"].add((chunk.coder, tensor.dtype.name))
        seen["prediction"].add((chunk.coder, tensor.predictor))
        seen["cast"] |= {(base.dtype.name, tensor.dtype.name) for base in bases}
        rows = tensor.shape[0]
        seen["rows"] |= {(base.shape[0] > rows) - (base.shape[0] < rows) for base in bases}


def note_chunks(seen: Seen, patch: pytest.MonkeyPatch) -> None:
    """Has the decoders note what they meet."""
    read_header, node_bits = wavelet.read_header, wavelet_tree.StreamReader._node_bits
    class_of, read_rest = adaptive.class_of, adaptive.read_rest
    read_shifts = adaptive.read_shifts
    decode_plane, read_stream = coders.decode_plane, wavelet_tree.StreamReader.read

    def noted_header(cursor: Cursor, layout: wavelet.Layout) -> wavelet.Header:
        header = read_header(cursor, layout)
        for name in ("leading", "precision", "lanes", "classes"):
            seen[name].add(getattr(header, name))
        seen["contexts"].add((header.leading, header.exponent_contexts))
        return header

    def noted_bits(self: wavelet_tree.StreamReader, skew: int, count: int) -> Array:
        seen["skew"].add(skew)
        return node_bits(self, skew, count)

    def noted_symbols(self: wavelet_tree.StreamReader, count: int, symbols: int) -> Array:
        found = read_stream(self, count, symbols)
        seen[f"symbol of {symbols}"] |= set(found.tolist())
        return found

    def noted_plane(cursor: Cursor, units: int) -> Array:
        seen["plane"].add(cursor._data[cursor._at])
        return decode_plane(cursor, units)

    def noted_class(expected: int) -> tuple[int, int]:
        found = class_of(expected)
        seen["class"].add(found[0])
        return found

    def noted_rest(decoder: RangeDecoder, models: Sequence[Model]) -> int:
        rest = read_rest(decoder, models)
        seen["rest"].add(rest)
        return rest

    def noted_shifts(decoder: RangeDecoder, rank: int) -> list[int]:
        shifts = read_shifts(decoder, rank)
        seen["growth of shifts"] |= set(np.diff(shifts))
        return shifts

    patch.setattr(adaptive, "class_of", noted_class)
    patch.setattr(adaptive, "read_rest", noted_rest)
    patch.setattr(adaptive, "read_shifts", noted_shifts)
    patch.setattr(wavelet, "read_header", noted_header)
    patch.setattr(wavelet_tree.StreamReader, "_node_bits", noted_bits)
    patch.setattr(wavelet_tree.StreamReader, "read", noted_symbols)
    patch.setattr(coders, "decode_plane", noted_plane)


@pytest.fixture(scope="module")
def seen(tmp_path_factory: pytest.TempPathFactory) -> Seen:
    """All that occurs in the golden archives."""
    found: Seen = defaultdict(set)
    with pytest.MonkeyPatch.context() as patch:
        note_chunks(found, patch)
        for path in ARCHIVES:
            archive = path.read_bytes()
            note_index(open_archive(archive), found)
            unpack(bases_of(path), archive, tmp_path_factory.mktemp("golden") / "out")
    return found


SPECIFICATION = (GOLDEN.parents[1] / "docs" / "format.md").read_text()


def numbers(section: str, heading: str) -> set[int]:
    """The first column of a table in a section of the specification."""
    (text,) = re.findall(rf"\n## {section}\. .*?(?=\n## |$)", SPECIFICATION, re.DOTALL)
    table = text.split(f"| {heading} |")[1].split("\n\n")[0]
    return {int(number) for number in re.findall(r"^\| (\d+) \|", table, re.MULTILINE)}


def test_every_coder_and_predictor_occurs(seen: Seen) -> None:
    assert seen["coder"] == numbers("4", "id | name | stored bytes") != set()
    assert seen["side coder"] == numbers("5", "id | name | stored bytes") != set()
    assert seen["predictor"] == numbers("4", "n | predictor | prediction") != set()
    with_wavelet = {predictor for coder, predictor in seen["prediction"] if coder == Coder.WAVELET}
    assert with_wavelet == set(Predictor)


def test_every_dtype_occurs(seen: Seen) -> None:
    listed = re.findall(r"\| (\d+) \| ([A-Z0-9_]+) (?=\| \d+ \|)", SPECIFICATION)
    assert seen["dtype"] == {name for _, name in listed} == {dtype.name for dtype in DTYPES}
    floats = {dtype for coder, dtype in seen["coded dtype"] if coder == Coder.WAVELET}
    assert floats == set(wavelet.MANTISSA)
    assert set(itertools.product(FLOATS, FLOATS)) <= seen["cast"]


def test_every_kind_of_record_occurs(seen: Seen) -> None:
    assert seen["kind"] == set(Kind)
    for either in ("single file", "executable", "canonical", "metadata"):
        assert seen[either] == {False, True}, either
    assert seen["bases"] == {0, 1, 2}
    assert seen["rows"] == {-1, 0, 1}


def test_every_kind_of_plane_occurs(seen: Seen) -> None:
    assert seen["plane"] == {coders.RAW_PLANE, coders.CONSTANT_PLANE, coders.ZSTD_PLANE}


def test_every_model_of_coder_wavelet_occurs(seen: Seen) -> None:
    assert seen["leading"] == {False, True}
    assert seen["precision"] == {1, 2, 3}
    assert seen["classes"] == {1, 2, 4}
    assert {0, 1, 128} < seen["lanes"]
    for leading in (False, True):
        several = {contexts > 1 for kind, contexts in seen["contexts"] if kind == leading}
        assert several == {False, True}


def test_every_kind_of_node_occurs(seen: Seen) -> None:
    assert 0 in seen["skew"]
    # By rANS of most skews; what is decoded by a skew follows from its number alone.
    assert len(seen["skew"] & set(range(1, MOST_CODED_SKEW + 1))) > 20
    assert max(seen["skew"]) > MOST_CODED_SKEW


def test_lossy_archives_of_every_kind_occur(seen: Seen) -> None:
    assert seen["lossy"] == seen["lossy single file"] == {False, True}
    exact = {predictor for is_exact, predictor in seen["loss"] if is_exact}
    lossy = {predictor for is_exact, predictor in seen["loss"] if not is_exact}
    assert exact == {Predictor.NONE, Predictor.BASE}
    assert lossy == {Predictor.BASE, Predictor.LOW_RANK}


def test_second_layers_occur(seen: Seen) -> None:
    assert seen["progressive"] == {False, True}
    of_wavelet = {predictor for coder, predictor in seen["second layer"] if coder == Coder.WAVELET}
    assert of_wavelet == {Predictor.BASE, Predictor.LOW_RANK}


def test_both_codes_of_factors_occur(seen: Seen) -> None:
    assert seen["factors"] == {False, True}
    # Of all ways to begin but the last ones, and with bits apart.
    assert set(range(6, 16)) <= seen["class"]
    assert max(seen["class"]) > 18
    assert set(range(adaptive.UNARY)) <= seen["rest"]
    assert max(seen["rest"]) > 4 * adaptive.UNARY
    assert {0, 1} <= seen["growth of shifts"]
    assert max(seen["growth of shifts"]) > 2


def test_symbols_of_every_kind_occur(seen: Seen) -> None:
    far = {2 * wavelet.FAR_BELOW, 2 * wavelet.FAR_BELOW + 1}
    assert far < seen[f"symbol of {wavelet.LEADING_SYMBOLS}"]
    for bits in (8, 16, 32):
        large = [s for s in seen[f"symbol of {31 + 4 * (bits - 4)}"] if s >= 31]
        # Of both signs, and with both values of the bit below the highest.
        assert {(symbol - 31) % 4 for symbol in large} == {0, 1, 2, 3}
