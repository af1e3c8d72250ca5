"""What is counted, and the page and plots that are made of it."""

import os
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pytest
from baselines.dare import Dare
from curves import plot
from finedelta import Finedelta
from methods import measure
from models import write_safetensors
from report import replaced, section, summary
from results import LOSSLESS, Report, Row, frontier
from weights import read_state, rounded, to_bits

PROGRAM = Path(os.environ["FINEDELTA_PROGRAM"])


def metrics(kl):
    return {"kl": kl, "kl_error": kl / 10, "same_top1": 0.9, "ppl": 30 + 10 * kl}


def row(family, setting, size, kl):
    return Row(family, setting, size, {"b": metrics(kl), "a": metrics(kl / 2)})


@pytest.fixture
def report():
    """Of 8000 weights, so that 1000 bytes are a bit for each."""
    rows = [
        row("DARE", "p = 0.9", 50, 0.2),
        row("DARE", "p = 0.8", 900, 0.02),
        row("DARE", "p = 0.7", 950, 0.03),
        row("SVD", "rank 1", 400, 0.04),
        row("finedelta", LOSSLESS, 3000, 0.0),
    ]
    base, fine = metrics(0.5), metrics(0.0)
    return Report("tune", 8000, {"b": base, "a": base}, {"b": fine, "a": fine}, rows)


class Bits:
    """In place of a model: whether these are the bits that it knows."""

    def __init__(self, state):
        self.state = state

    def measure(self, state):
        same = all(np.array_equal(to_bits(state[name]), to_bits(v)) for name, v in self.state.items())
        return metrics(0.0 if same and len(state) == len(self.state) else 1.0)


def test_the_file_is_what_is_counted_and_measured(pair, tmp_path):
    method = Dare(0.5)
    content = method.encode(pair)
    evaluators = {"b": Bits(Dare.decode(pair.base, content)), "a": Bits(pair.fine)}
    result = measure(method, pair, evaluators, tmp_path)
    assert result == Row("DARE", "p = 0.5", len(content), {"b": metrics(0.0), "a": metrics(1.0)})
    assert (tmp_path / "stored").read_bytes() == content
    assert pair.weights == sum(values.size for values in pair.fine.values())


@pytest.fixture
def files(pair, tmp_path):
    for name, state in (("base", pair.base), ("fine", pair.fine)):
        tensors = {key: ("BF16", v.shape, to_bits(v).tobytes()) for key, v in state.items()}
        write_safetensors(tmp_path / name, tensors)
    return tmp_path / "base", tmp_path / "fine"


def test_finedelta_stores_and_restores(pair, files, tmp_path):
    method = Finedelta(PROGRAM, *files, ())
    result = measure(method, pair, {"a": Bits(pair.fine)}, tmp_path)
    assert (result.family, result.setting, result.kl) == ("finedelta", LOSSLESS, 0.0)
    assert result.bytes == (tmp_path / "stored").stat().st_size


def test_a_program_that_refuses_ends_the_run(pair, files, tmp_path):
    method = Finedelta(PROGRAM, *files, ("--no-such-option",))
    with pytest.raises(SystemExit, match="--no-such-option .* failed"):
        measure(method, pair, {"a": Bits(pair.fine)}, tmp_path)


def test_states_are_read_from_files(pair, files):
    state = read_state(files[1])
    assert state.keys() == pair.fine.keys()
    assert all(np.array_equal(state[name], values) for name, values in pair.fine.items())


def test_bf16_is_rounded_to_nearest_even():
    values = np.float32([1 + 2**-8, 1 + 3 * 2**-8, 1 + 2**-8 + 2**-20, -1e-40])
    assert rounded(values).tolist() == [1, 1 + 2**-6, 1 + 2**-7, float(rounded(np.float32([-1e-40]))[0])]


def test_bits_are_of_all_weights(report):
    assert report.bits(report.rows[1]) == 0.9


def test_frontier_leaves_out_what_is_beaten(report):
    assert [each.setting for each in frontier(report.rows[:3])] == ["p = 0.9", "p = 0.8"]
    near = [row("SVD", str(size), size, kl) for size, kl in ((100, 0.2), (102, 0.1), (105, 0.05))]
    assert [each.bytes for each in frontier(near)] == [102, 105]
    assert len(frontier([row("SVD", "rank 1", 100, 0.2)])) == 1


def test_summary_takes_the_best_within_a_budget(report):
    lines = summary(report)
    assert lines[2] == (
        "| DARE | 0.2 (0.05) | 0.2 (0.05) | 0.2 (0.05) | 0.2 (0.05) | 0.02 (0.90) | 0.02 (0.90) |"
    )
    assert lines[3] == "| SVD | - | - | - | 0.04 (0.40) | 0.04 (0.40) | 0.04 (0.40) |"
    assert len(lines) == 4


def test_a_section_says_what_was_gained(report):
    text = "\n".join(section(report, "plot.svg"))
    # KL 0.02 of 0.5; perplexity from 35 to 30.2 where the fine-tune has 30.
    assert ("| DARE | p = 0.8 | 900 | 0.900 | 0.02 ± 0.002 | 96.0 % | 90.0 % | 30.20 | 96.0 % | 0.01 |"
            in text)  # fmt: skip
    assert text.count("\n| DARE | p = ") == 3
    assert "without loss takes 3.00 bits" in text


def test_what_is_written_by_hand_stays():
    page = "by hand\n<!-- measured -->\nold\n<!-- end of measured -->\nmore\n"
    once = replaced(page, ["new", ""])
    assert once == "by hand\n<!-- measured -->\n\nnew\n\n<!-- end of measured -->\nmore\n"
    assert replaced(once, ["new", ""]) == once
    for broken in ("", "<!-- measured -->", "<!-- end of measured --><!-- measured -->"):
        with pytest.raises(ValueError, match="the page has no"):
            replaced(broken, [])


def test_plots_are_xml_and_show_every_point(report):
    root = ElementTree.fromstring(plot(report))
    circles = [each.get("class") for each in root.iter("{http://www.w3.org/2000/svg}circle")]
    assert circles == ["DARE", "DARE", "DARE other", "SVD"]
    texts = [each.text for each in root.iter("{http://www.w3.org/2000/svg}text")]
    assert {"tune", "DARE", "SVD", "base", "lossless"} <= set(texts)
