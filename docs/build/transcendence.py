"""The pages on transcendence from result files: prose of docs/build with tables, sentences and figures filled in.

    python -m docs.build.transcendence        writes docs/transcendence*.md and docs/results/transcendence/figures

Knows which files the recipes leave in docs/results/transcendence and how they are shown. What has not been run is named so;
no number comes from anywhere but these files.
"""

from __future__ import annotations

import argparse
import re
import statistics
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from docs.build import transcendence_people as people
from docs.build.tables import NOT_RUN, markdown, rated
from docs.build.transcendence_evidence import EXPECTED, Evidence, Experiment, games_of_experts, interval, read_json, signed
from engine.command_line import run_command
from engine.errors import MatchError
from engine.files import write_text
from match.players.population import read_population
from match.studies import advantage

BAR_ELO = 300
"""The lower bound that is asked of the first two. The first generation's nets were asked for 50."""

_ROOT = Path(__file__).parents[2]
TEMPLATES = sorted(Path(__file__).parent.glob("transcendence*.md"))
"""The prose of each page, under the page's name."""
_PLACE = re.compile(r"\{\{([a-z][a-z-]*)(?::\s*([^}]*?))?\}\}")


def verdicts(evidence: Evidence, _: str) -> str:
    """All verdicts in one table."""
    rows = [
        [
            e.name,
            EXPECTED.get(e.population, ""),
            f"**{e.values['verdict']}**",
            e.difference,
            f"{e.values['games']:,}",
            e.values["expert"],
            *_reading(evidence, e),
        ]
        for e in evidence.experiments()
    ]
    missing = [name for name in EXPECTED if not any(e.population == name for e in evidence.experiments())]
    rows += [[name, EXPECTED[name], NOT_RUN, *[""] * 6] for name in missing]
    head = ["experiment", "expected", "verdict", "net − best expert, Elo (95 %)", "games", "best expert"]
    return markdown([*head, *_READING], rows)


_READING = ("games of the experts", "plies read", "minutes")
"""Heads of what ``_reading`` gives."""


def _reading(evidence: Evidence, e: Experiment) -> tuple[str, str, str]:
    """What a net had to learn from, what it read of that, and for how long."""
    plies = evidence.plies_read(e)
    read = "" if plies is None else f"{plies / 1e6:.1f} M"
    return f"{games_of_experts(e):,}", read, f"{float(e.values['notes'].get('minutes', 0)):g}"


def verdict(evidence: Evidence, name: str) -> str:
    """One verdict as a sentence."""
    e = evidence.experiment(name)
    if e is None:
        return NOT_RUN
    v = e.values
    games = f"{v['games']:,} games, {v['score']:.1%} of the points"
    return f"**{v['verdict']}**: {e.difference} Elo against *{v['expert']}* in {games}"


def score(evidence: Evidence, name: str) -> str:
    """The net's share of the points."""
    e = evidence.experiment(name)
    return NOT_RUN if e is None else f"{e.values['score']:.1%}"


def difference(evidence: Evidence, name: str) -> str:
    """The same in Elo, with its interval."""
    e = evidence.experiment(name)
    return NOT_RUN if e is None else e.difference


def rule(evidence: Evidence, population: str) -> str:
    """What the engine's rule against repetitions is worth to the board-fed net."""
    found = evidence.rule(population)
    return NOT_RUN if found is None else interval(dict(zip(("elo", "low", "high"), found, strict=True)))


def word(evidence: Evidence, name: str) -> str:
    """One verdict as its word."""
    e = evidence.experiment(name)
    return NOT_RUN if e is None else f"**{e.values['verdict']}**"


def bars(evidence: Evidence, name: str) -> str:
    """What was asked of a population, and what came."""
    e = evidence.experiment(name)
    if e is None:
        return NOT_RUN
    head, wanted = ["bar", "asked", "found", "passed"], EXPECTED.get(e.population)
    if wanted == "does not transcend":
        return markdown(head, [["verdict", wanted, e.values["verdict"], _yes(e.values["verdict"] == wanted)]])
    low, checks = e.values["low"], e.values["temperatures"]
    rows = [["net − best expert, 95 % lower bound", f"above +{BAR_ELO}", signed(low), _yes(low is not None and low > BAR_ELO)]]
    if checks is not None:
        gain = "not known" if checks["gain"] is None else interval(checks["gain"])
        rises = "; ".join(f"rises by {elo:.0f} from T={a:g} to {b:g}" for a, b, elo in checks["rises"])
        rows.append(
            ["rating falls as T rises to 1", "within errors", gain + (f", but {rises}" if rises else ""), _yes(checks["falls"])]
        )
        average = checks["average_minus_expert"]
        above = "not known" if average is None else interval(average)
        rows.append(
            ["net at T=1 − best expert", "not above 0", above, _yes(_is_bounded(average) and not checks["average_is_above"])]
        )
    return markdown(head, rows)


def _is_bounded(gap: dict[str, Any] | None) -> bool:
    """Whether an interval excludes anything at all."""
    return gap is not None and gap["low"] is not None and gap["high"] is not None


def _yes(passed: bool) -> str:
    return "yes" if passed else "**no**"


def experts(evidence: Evidence, population: str) -> str:
    """The experts' ratings in the pool with the net."""
    arms = [e for e in evidence.experiments() if e.population == population and e.values["ratings"]]
    if not arms:
        return NOT_RUN
    names = set(read_population(evidence.folder / population / "population.toml"))
    rows = [[r["name"], f"{r['games']:,}", rated(r)] for r in arms[-1].values["ratings"] if r["name"] in names]
    return markdown(["expert", "games", "rating (95 %)"], rows)


def temperatures(evidence: Evidence, name: str) -> str:
    """A net's ratings by temperature, beside its best expert's."""
    e = evidence.experiment(name)
    if e is None or not e.curve:
        return NOT_RUN
    rows = [[f"{t:g}", f"{r['games']:,}", rated(r)] for t, r in e.curve]
    if e.best is not None:
        rows.append([f"*{e.best['name']}*", f"{e.best['games']:,}", rated(e.best)])
    return markdown(["temperature", "games", "rating (95 %)"], rows)


def slope(evidence: Evidence, _: str) -> str:
    """Noise against gain."""
    rows = [
        [
            f"{low:.0%}" if low == high else f"{100 * low:.0f} to {high:.0%}",
            e.name,
            e.difference,
            f"**{e.values['verdict']}**",
            *_reading(evidence, e),
        ]
        for (low, high), e in evidence.slope()
    ]
    head = ["random moves", "experiment", "net − best expert, Elo (95 %)", "verdict", *_READING]
    return markdown(head, rows) if rows else NOT_RUN


def seeds(evidence: Evidence, population: str) -> str:
    """Several trainings on the same games: each one's verdicts, and how far they lie apart."""
    arms = {"by its votes alone": "net-votes", "as the engine plays": "net"}
    found = {
        arm: {e.seed: e for e in evidence.experiments() if e.population == population and e.arm == arm} for arm in arms.values()
    }
    trained = sorted(set[int]().union(*found.values()))
    if len(trained) < 2:
        return NOT_RUN
    rows = [
        [str(seed), *(found[arm][seed].difference if seed in found[arm] else NOT_RUN for arm in arms.values())]
        for seed in trained
    ]
    elos = [[e.values["elo"] for e in of_arm.values() if e.values["elo"] is not None] for of_arm in found.values()]
    rows.append(["*mean*", *(signed(statistics.fmean(elo)) if elo else "" for elo in elos)])
    rows.append(["*standard deviation*", *(f"{statistics.stdev(elo):.0f}" if len(elo) > 1 else "" for elo in elos)])
    return markdown(["seed", *(f"net − best expert, {name}, Elo (95 %)" for name in arms)], rows)


def searching(evidence: Evidence, _: str) -> str:
    """One net by temperature, without a search and with two lengths of it."""
    columns = evidence.searches()
    if not columns:
        return NOT_RUN
    head = ["temperature", *(f"{n} evaluations" if n > 1 else "no search" for n in columns)]
    steps = sorted({t for curve in columns.values() for t in curve})
    rows = [[f"{t:g}", *(curve.get(t, "") for curve in columns.values())] for t in steps]
    return markdown(head, rows)


def gains(evidence: Evidence, name: str) -> str:
    """Expected reward by temperature."""
    path = evidence.folder / name / "advantage.json"
    if not path.is_file():
        return NOT_RUN
    return f"```text\n{advantage.advantage_table(advantage.from_json(read_json(path)))}\n```"


def boards(evidence: Evidence, name: str) -> str:
    """Pictures of example boards."""
    pictures = sorted((evidence.folder / name / "boards").glob("*.svg"))
    return "\n\n".join(f"![{path.stem}]({_link(evidence, path)})" for path in pictures) or NOT_RUN


def picture(evidence: Evidence, name: str) -> str:
    """A figure, where it has been made."""
    path = evidence.folder / name
    return f"![{path.stem}]({_link(evidence, path)})" if path.is_file() else NOT_RUN


def text_of(evidence: Evidence, name: str) -> str:
    """A text file as it is."""
    path = evidence.folder / name
    return f"```text\n{path.read_text(encoding='utf-8').strip()}\n```" if path.is_file() else NOT_RUN


def settings(evidence: Evidence, _: str) -> str:
    """How each experiment was made."""
    keys = ["games", "minutes", "training_seconds", "preset", "options", "date", "commit", "machine"]
    rows = [[e.name, *(str(e.values["notes"].get(key, "")) for key in keys)] for e in evidence.experiments()]
    return markdown(["experiment", *(key.replace("_", " ") for key in keys)], rows) if rows else NOT_RUN


def surprises(evidence: Evidence, _: str) -> str:
    """Where the verdict is not what theory says."""
    expected = [e for e in evidence.experiments() if e.population in EXPECTED]
    other = [e for e in expected if e.values["verdict"] != EXPECTED[e.population]]
    if not expected:
        return NOT_RUN
    lines = [f'- *{e.name}*: expected "{EXPECTED[e.population]}", found {verdict(evidence, e.name)}' for e in other]
    return "\n".join(lines) or "None: every verdict is the expected one."


def _link(evidence: Evidence, path: Path) -> str:
    return f"results/{evidence.folder.name}/{path.relative_to(evidence.folder).as_posix()}"


_FILLS: dict[str, Callable[[Evidence, str], str]] = {
    "verdicts": verdicts,
    "verdict": verdict,
    "score": score,
    "difference": difference,
    "rule": rule,
    "word": word,
    "bars": bars,
    "experts": experts,
    "temperatures": temperatures,
    "slope": slope,
    "seeds": seeds,
    "caps": people.temperatures,
    "caps-gains": people.gains,
    "one-net": people.one_net,
    "searching": searching,
    "advantage": gains,
    "boards": boards,
    "picture": picture,
    "text": text_of,
    "settings": settings,
    "surprises": surprises,
}


def page(template: str, evidence: Evidence) -> str:
    """One page. Raises MatchError for a place that nothing can fill."""

    def fill(place: re.Match[str]) -> str:
        if place[1] not in _FILLS:
            raise MatchError(f"expected a place of {', '.join(_FILLS)}, got {place[0]!r}")
        return _FILLS[place[1]](evidence, place[2] or "")

    return _PLACE.sub(fill, template)


def main(argv: list[str] | None = None) -> int:
    """Write figures and pages; returns the exit status."""
    options = argparse.ArgumentParser(
        prog="python -m docs.build.transcendence", description="The pages on transcendence from result files."
    )
    options.add_argument("--results", type=Path, default=_ROOT / "docs" / "results" / "transcendence")
    options.add_argument("--out", type=Path, default=_ROOT / "docs", help="folder of the pages")
    options.add_argument("--no-figures", action="store_true", help="only the pages")
    arguments = options.parse_args(argv)
    return run_command("transcendence", lambda: _write(arguments))


def _write(arguments: argparse.Namespace) -> None:
    evidence = Evidence(arguments.results)
    if not arguments.no_figures:
        from docs.build.transcendence_figures import draw

        for path in draw(evidence):
            print(path)
    arguments.out.mkdir(parents=True, exist_ok=True)
    for template in TEMPLATES:
        write_text(arguments.out / template.name, page(template.read_text(encoding="utf-8"), evidence))
        print(arguments.out / template.name)


if __name__ == "__main__":
    sys.exit(main())
