"""All that is said of games when they are over: tables on the screen, PGN and table in the folder, plots and a page.

Knows which parts a report has. Does not know how each is made, or how games are played.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from tqdm import tqdm

from engine.errors import MatchError
from engine.figures import has_matplotlib
from engine.files import write_text
from match.play.game import Played
from match.play.session import PlayedMatch
from match.players.stockfish import LEVEL_ANCHORS, PAPER_MOVETIME, level_name
from match.report import pgn, tables
from match.statistics.glicko2 import PAPER_LEVELS, Glicko, paper_ratings
from match.statistics.ratings import Rating, rate
from match.statistics.scores import Score

_PAPER_ANCHORS = {level_name(level, PAPER_MOVETIME): elo for level, elo in PAPER_LEVELS.items()}
_LINE_S = 60.0  # without a terminal, progress is a line a minute


def finish(
    session: PlayedMatch,
    heroes: Sequence[str],
    *,
    out: Path,
    page: bool,
    workers: int,
    extra: Callable[[Sequence[Score]], str] | None = None,
) -> None:
    """Print the tables of a match; write them, its PGN and, with ``page``, plots and a page to its folder."""
    pgn.write_pgn(session.played, out / "games.pgn", event=out.name, workers=workers, known=session.anchors)
    scores = [game.score() for game in session.played]
    ratings = rated(scores, session.anchors)
    parts = [tables.cross_table(scores, heroes), *rating_parts(ratings, scores), tables.endings(session.played)]
    if extra is not None:
        parts.append(extra(scores))
    text = "\n\n".join(parts)
    write_text(out / "table.txt", text + "\n")
    print(f"{text}\n\ngames: {out / 'games.pgn'}")
    if page:
        write_page(session.played, ratings, text, out)


def summary(games: Sequence[Played], anchors: Mapping[str, float], *, out: Path) -> None:
    """The same of games of several matches, without PGN."""
    scores = [game.score() for game in games]
    ratings = rated(scores, anchors)
    names = [r.name for r in ratings if not r.anchored]
    text = "\n\n".join([tables.cross_table(scores, names), *rating_parts(ratings, scores), tables.endings(games)])
    out.mkdir(parents=True, exist_ok=True)
    print(text)
    write_page(games, ratings, text, out)


def rating_parts(ratings: Sequence[Rating], scores: Sequence[Score]) -> list[str]:
    """The table of ratings, and what it says of scale and method."""
    glicko = glicko_column(scores)
    notes = [tables.scale(ratings), *([tables.GLICKO_NOTE] if glicko else [])]
    return [tables.ratings_table(ratings, glicko), "\n".join(notes)]


def glicko_column(scores: Sequence[Score]) -> dict[str, Glicko]:
    """The paper's protocol for the players that met Stockfish levels 1 to 5."""
    return paper_ratings(scores, _PAPER_ANCHORS)


def write_page(games: Sequence[Played], ratings: Sequence[Rating], text: str, out: Path) -> None:
    """Plots and a page in the folder ``out``; without matplotlib a line that says so."""
    if not has_matplotlib(without="no page with plots"):
        return
    from match.report import page  # here: it imports matplotlib

    print(f"page: {page.write_page(games, ratings, text, out)}")


def rated(scores: Sequence[Score], known: Mapping[str, float]) -> list[Rating]:
    """``rate`` with a bar on a terminal, else a line a minute: a pool of thousands takes a while."""
    shown = time.monotonic()
    form = "ratings: {percentage:3.0f}% {bar} {elapsed}"
    with tqdm(total=1.0, disable=None, leave=False, delay=1, bar_format=form) as bar:

        def progress(share: float) -> None:
            nonlocal shown
            bar.update(share - bar.n)
            if bar.disable and time.monotonic() > shown + _LINE_S:
                shown = time.monotonic()
                print(f"ratings: {share:.0%} done", file=sys.stderr)

        return rate(scores, known, progress=progress)


def rated_text(games: Sequence[pgn.PgnGame], known: Mapping[str, float]) -> str:
    """All that PGN games say."""
    scores = pgn.scores(games)
    if not scores:
        raise MatchError("expected games with a result (1-0, 0-1 or 1/2-1/2), found none")
    ratings = rated(scores, known)
    missing = [name for name in known if name not in LEVEL_ANCHORS and name not in {r.name for r in ratings}]
    if missing:
        raise MatchError(f"no player is called {missing[0]!r}; there are {', '.join(sorted(r.name for r in ratings))}")
    left_out = f", {len(games) - len(scores)} without a result left out" if len(scores) < len(games) else ""
    pairs = len({(frozenset((s.white, s.black)), s.pair) for s in scores})
    counted = f"{len(scores)} games in {pairs} opening pairs, {pgn.unique_games(games)} of them different{left_out}"
    return "\n\n".join([*rating_parts(ratings, scores), counted])
