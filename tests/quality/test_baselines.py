"""Every baseline's file gives back what the baseline's definition says."""

import baselines
import numpy as np
import pytest
from baselines.bitdelta import BitDelta
from baselines.dare import Dare
from baselines.integers import Grid, Integers
from baselines.prune import Prune
from baselines.svd import FP16, Svd, assign_ranks
from baselines.ternary import Ternary
from pair import is_linear, matrices
from store import Reader, Writer
from weights import rounded, to_bits


def matrices_of(point, pair):
    """The deltas that come out of the file, before they are added and rounded, by name."""
    writer = Writer()
    point.write(writer, pair)
    delta = point.read(Reader(writer.content()), pair.base)
    return {span.name: delta[span.place].reshape(span.shape) for span in pair.spans}


def deltas(pair):
    return {span.name: pair.matrix(span) for span in pair.spans}


def along(restored, wanted):
    """How much of `wanted` is in `restored`; 1 if that is unbiased."""
    return (restored * wanted).sum(axis=-1) / (wanted * wanted).sum(axis=-1)


@pytest.mark.parametrize("point", baselines.all_points(), ids=lambda point: f"{point.family} {point.setting}")
def test_models_come_back_from_files(point, pair, tmp_path):
    file = tmp_path / "stored"
    point.store(pair, file)
    state = point.restore(pair.base, file)
    assert {name: values.shape for name, values in state.items()} == {
        name: values.shape for name, values in pair.base.items()
    }
    for name, delta in matrices_of(point, pair).items():
        assert np.array_equal(state[name], rounded(pair.base[name] + delta))
    for name in ("model.norm.weight", "model.layers.0.norm.weight"):
        assert np.array_equal(state[name], pair.fine[name])
    file.write_bytes(file.read_bytes() + b"\0")
    with pytest.raises(ValueError, match="after the last part"):
        point.restore(pair.base, file)


def test_names_of_points_differ():
    names = [(point.family, point.setting) for point in baselines.all_points()]
    assert len(set(names)) == len(names)


@pytest.mark.parametrize("rest", ["as all others", "exact", "dropped"])
def test_bitdelta(pair, rest):
    restored = matrices_of(BitDelta(rest, "least squares"), pair)
    for name, delta in deltas(pair).items():
        wanted = np.where(delta > 0, 1, -1) * np.abs(delta).mean()
        if not is_linear(name):
            wanted = {"as all others": wanted, "exact": delta, "dropped": 0 * delta}[rest]
        assert restored[name] == pytest.approx(wanted, rel=1e-5)


def test_unbiased_bitdelta(pair):
    restored = matrices_of(BitDelta("as all others", "unbiased"), pair)
    for name, delta in deltas(pair).items():
        assert len(np.unique(np.abs(restored[name]))) == 1
        assert along(restored[name].ravel(), delta.ravel()) == pytest.approx(1, rel=1e-5)


def test_dare(pair):
    restored = matrices_of(Dare(0.75), pair)
    kept = 0
    for name, delta in deltas(pair).items():
        there = restored[name] != 0
        assert restored[name][there] == pytest.approx(4 * delta[there], rel=1e-5)
        kept += np.count_nonzero(there)
    assert kept / pair.delta.size == pytest.approx(0.25, abs=0.03)


def test_pruning_by_matrix(pair):
    restored = matrices_of(Prune(0.1, "matrix", rescaled=False), pair)
    for name, delta in deltas(pair).items():
        there = restored[name] != 0
        assert np.count_nonzero(there) == round(0.1 * delta.size)
        assert np.array_equal(restored[name][there], delta[there])
        # Equal ones are chosen among by chance; those that differ by less count as equal.
        assert np.abs(delta[there]).min() >= np.abs(delta[~there]).max() * 0.998


def test_pruning_by_model(pair):
    restored = matrices_of(Prune(0.1, "model", rescaled=False), pair)
    together = np.concatenate([values.ravel() for values in restored.values()])
    there = together != 0
    assert np.count_nonzero(there) == round(0.1 * pair.delta.size)
    assert np.array_equal(together[there], pair.delta[there])
    assert np.abs(pair.delta[there]).min() >= np.abs(pair.delta[~there]).max() * 0.998


def test_rescaled_pruning(pair):
    restored = matrices_of(Prune(0.1, "matrix", rescaled=True), pair)
    plain = matrices_of(Prune(0.1, "matrix", rescaled=False), pair)
    for name, delta in deltas(pair).items():
        there = plain[name] != 0
        gains = restored[name][there] / plain[name][there]
        assert gains == pytest.approx(gains[0], rel=1e-5)
        assert along(restored[name].ravel(), delta.ravel()) == pytest.approx(1, rel=1e-5)


def test_ternary_with_a_scale_of_each_matrix(pair):
    restored = matrices_of(Ternary(0.2, "matrix", "least squares", "matrix"), pair)
    for name, delta in deltas(pair).items():
        there = restored[name] != 0
        assert np.count_nonzero(there) == round(0.2 * delta.size)
        wanted = np.sign(delta[there]) * np.abs(delta[there]).mean()
        assert restored[name][there] == pytest.approx(wanted, rel=2**-8)


@pytest.mark.parametrize("among", ["row", "model"])
def test_ternary_with_a_scale_of_each_row(pair, among):
    restored = matrices_of(Ternary(0.3, among, "unbiased", "row"), pair)
    for name, delta in deltas(pair).items():
        for row, original in zip(restored[name], delta, strict=True):
            there = row != 0
            if there.any():
                assert len(np.unique(np.abs(row[there]))) == 1
                assert np.array_equal(np.sign(row[there]), np.sign(original[there]))
                assert along(row, original) == pytest.approx(1, rel=2**-8)
            if among == "row" and original.any():
                assert np.count_nonzero(there) == round(0.3 * len(row))


@pytest.mark.parametrize("levels", [255, 15, 7, 4])
def test_integers(pair, levels):
    restored = matrices_of(Integers(Grid(levels), "unbiased"), pair)
    for name, delta in deltas(pair).items():
        for row, original in zip(restored[name], delta, strict=True):
            assert len(np.unique(row)) <= levels
            if not original.any():
                assert not row.any()
                continue
            assert along(row, original) == pytest.approx(1, rel=2**-8)
            # 4 levels have at most 0.12 of a Gaussian's energy as error; a row of 16 is no Gaussian.
            energy = np.square(original).mean()
            assert np.square(row - original).mean() < 2 * energy / levels + 1e-4 * energy


def test_integers_lie_on_the_grid_of_their_row():
    assert Grid(4).values(np.arange(4)).tolist() == [-1.5, -0.5, 0.5, 1.5]
    assert Grid(7).values(np.arange(7)).tolist() == [-3, -2, -1, 0, 1, 2, 3]
    assert Grid(7).codes(np.array([-9, -0.6, 0.4, 9])).tolist() == [0, 2, 3, 6]
    assert [Grid(levels).width for levels in (2, 3, 4, 7, 15, 16, 255)] == [1, 2, 2, 4, 4, 4, 8]


@pytest.mark.parametrize(("levels", "error"), [(FP16, 2e-3), (255, 2e-2), (15, 0.3)])
def test_svd(pair, levels, error):
    point = Svd(0.2, levels)
    ranks = assign_ranks(pair.singular, point.numbers * pair.delta.size)
    restored = matrices_of(point, pair)
    for span, singular, rank in zip(pair.spans, pair.singular, ranks, strict=True):
        wanted = (singular.left[:, :rank] * singular.values[:rank]) @ singular.right[:rank]
        difference = np.linalg.norm(restored[span.name] - wanted)
        assert difference <= error * np.linalg.norm(wanted)


def test_ranks_go_where_a_number_stores_most_energy(pair):
    costs = [sum(span.shape) for span in pair.spans]
    for share in (0, 0.05, 0.2, 0.5):
        numbers = share * pair.delta.size
        ranks = assign_ranks(pair.singular, numbers)
        spent = sum(rank * cost for rank, cost in zip(ranks, costs, strict=True))
        assert numbers - max(costs) < spent <= numbers or spent == 0 == numbers
        taken, left = [], []
        for singular, rank, cost in zip(pair.singular, ranks, costs, strict=True):
            taken += (singular.values[:rank] ** 2 / cost).tolist()
            left += (singular.values[rank:] ** 2 / cost).tolist()
        assert min(taken, default=np.inf) >= max(left)


def test_all_bits_of_a_fine_tune_come_back_where_nothing_is_lost(pair):
    content = Prune(1, "model", rescaled=False).encode(pair)
    state = Prune.decode(pair.base, content)
    assert np.array_equal(to_bits(matrices(state)), to_bits(matrices(pair.fine)))
