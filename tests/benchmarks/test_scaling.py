"""The fit of loss to size and reading: a law that is put in comes out, and what any curve would meet is refused."""

from __future__ import annotations

import dataclasses
import itertools
import json
from pathlib import Path

import pytest

from benchmarks.scaling import FORECASTS, Fit, Trial, fitted, rated_line, ratings_of, report, without_each

LAW = Fit(floor=1.2, size=40.0, a=0.3, reading=300.0, b=0.425)
TRIALS = [Trial(n, d, LAW.loss(n, d)) for n, d in itertools.product((1e6, 2e6, 5.6e6), (1.2e6, 2.5e6, 4.9e6))]


def test_a_law_that_is_put_in_comes_out() -> None:
    fit = fitted(TRIALS)
    assert (fit.a, fit.b) == pytest.approx((LAW.a, LAW.b), abs=0.03)
    assert fit.floor == pytest.approx(LAW.floor, abs=0.05)
    assert fit.loss(5e7, 7e9) == pytest.approx(LAW.loss(5e7, 7e9), abs=0.06)


def test_one_run_that_is_off_widens_the_range() -> None:
    spoiled = [*TRIALS[:-1], Trial(TRIALS[-1].weights, TRIALS[-1].plies, TRIALS[-1].loss + 0.1)]
    even, uneven = ([fit.loss(5e7, 7e9) for fit in without_each(trials)] for trials in (TRIALS, spoiled))
    assert max(uneven) - min(uneven) > 2 * (max(even) - min(even))


def test_nothing_falls_below_nothing() -> None:
    rising = [Trial(t.weights, t.plies, 1.0 + t.plies / 1e7) for t in TRIALS]  # no law of this form
    fit = fitted(rising)
    assert min(fit.floor, fit.size, fit.reading) >= 0


def test_what_any_curve_would_meet_is_refused() -> None:
    with pytest.raises(ValueError, match="five runs or more, got 4"):
        fitted(TRIALS[:4])


def test_the_report_names_runs_law_and_forecasts() -> None:
    text = report(TRIALS)
    rows = text.splitlines()[1 : 1 + len(TRIALS)]
    assert [row.split()[2] for row in rows] == [f"{trial.loss:.4f}" for trial in TRIALS]
    assert all(abs(float(row.split()[4])) < 0.01 for row in rows)
    assert all(name in text for name, *_ in FORECASTS)


def test_ratings_on_a_line_give_that_line_and_forecasts() -> None:
    rated = [dataclasses.replace(t, rating=1000 - 500 * (t.loss - 2), error=20.0) for t in TRIALS]
    line = rated_line(rated)
    assert line is not None
    assert line.rating(1.6) == pytest.approx(1200)
    assert line.scatter == pytest.approx(0, abs=1e-6)
    text = report(rated)
    assert "for each 0.1 nats below" in text
    assert "+ 50 for" in text
    assert "range  rating" in text


def test_without_ratings_none_are_forecast() -> None:
    assert rated_line(TRIALS) is None
    assert "rating" not in report(TRIALS)


def test_ratings_are_read_by_the_name_of_the_run(tmp_path: Path) -> None:
    file = tmp_path / "curve.json"
    rated = [
        {"name": "128-150 T=0.001", "elo": 500.0, "low": 460.0, "high": 550.0, "anchored": False},
        {"name": "random mover", "elo": 200.0, "low": None, "high": 300.0, "anchored": False},
        {"name": "Stockfish level 0 depth=1", "elo": 1182.0, "low": 1182.0, "high": 1182.0, "anchored": True},
    ]
    file.write_text(json.dumps({"ratings": rated}), encoding="utf-8")
    assert ratings_of(file) == {"128-150": (500.0, 45.0)}
    assert ratings_of(None) == {}
