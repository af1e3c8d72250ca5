"""Metrics on logits that are small enough to reckon with by hand."""

import numpy as np
import pytest
from metrics import Window, compare, log_softmax, summary

LOGITS = np.log(np.array([[0.5, 0.25, 0.25], [0.1, 0.8, 0.1]]))
HALVES = np.log(np.array([[0.25, 0.5, 0.25], [0.2, 0.6, 0.2]]))


def test_log_softmax_takes_away_any_offset():
    assert log_softmax(LOGITS + 700) == pytest.approx(LOGITS)
    assert log_softmax(np.float32([1e4, 0])) == pytest.approx([0, -1e4])


def test_kl_is_taken_at_every_position_from_the_reference():
    window = compare(LOGITS, HALVES + 3, np.array([0, 2]))
    first = 0.5 * np.log(2) - 0.25 * np.log(2)
    second = 0.2 * np.log(0.5) + 0.8 * np.log(0.8 / 0.6)
    assert window.kl == pytest.approx((first + second) / 2)
    assert window.same_top1 == 0.5


def test_loss_is_of_each_next_token():
    # The second token, 2, is predicted at the first position; nothing is known of a third.
    assert compare(LOGITS, HALVES, np.array([0, 2])).loss == pytest.approx(-np.log(0.25))


def test_summary_is_over_windows():
    result = summary([Window(0.1, 0.5, 1.0), Window(0.3, 1.0, 3.0), Window(0.2, 0.75, 2.0)])
    assert result == {
        "kl": pytest.approx(0.2),
        "kl_error": pytest.approx(0.1 / np.sqrt(3)),
        "same_top1": pytest.approx(0.75),
        "ppl": pytest.approx(np.exp(2.0)),
    }
