"""One self-contained HTML page of a match: tables, plots, sample games on a board that can be stepped through.

Knows the page's template (page.html, plain JavaScript, nothing is loaded from anywhere) and which games are worth
showing. Does not know ratings.
"""

from __future__ import annotations

import base64
import html
import json
import re
from collections.abc import Iterator, Sequence
from pathlib import Path

import chess

from engine.errors import MatchError
from engine.files import write_text
from match.play.game import Played
from match.report.pgn import san_moves
from match.report.plots import plots
from match.report.tables import interval
from match.statistics.ratings import Rating

_SAMPLES = 24


def write_page(games: Sequence[Played], ratings: Sequence[Rating], text: str, folder: Path) -> Path:
    """index.html and the plots as PNG files in ``folder``; returns the page's path. Raises MatchError when the disk is
    full."""
    pictures = plots(games, ratings)
    path = folder / "index.html"
    try:
        for name, png in pictures.items():
            (folder / f"{name}.png").write_bytes(png)
        write_text(path, page(games, ratings, text, pictures, title=folder.name))
    except OSError as error:
        raise MatchError(f"cannot write the page in {folder}: {error.strerror or error}; free some room") from None
    return path


def page(games: Sequence[Played], ratings: Sequence[Rating], text: str, pictures: dict[str, bytes], *, title: str) -> str:
    """The whole page."""
    template = Path(__file__).with_name("page.html").read_text(encoding="utf-8")
    parts = {
        "TITLE": html.escape(title),
        "RATINGS": "\n".join(_rows(ratings)),
        "TEXT": html.escape(text),
        "PLOTS": "\n".join(_pictures(pictures)),
        "GAMES": json.dumps([_game(game) for game in samples(games)]).replace("</", "<\\/"),
    }
    return re.sub(r"%%([A-Z]+)%%", lambda found: parts[found[1]], template)


def _rows(ratings: Sequence[Rating]) -> Iterator[str]:
    for r in ratings:
        cells = (html.escape(r.name), str(r.games), f"{r.points:g}", f"{r.share:.1%}", html.escape(r.text), interval(r))
        yield "<tr>" + "".join(f"<td>{cell}</td>" for cell in cells) + "</tr>"


def _pictures(pictures: dict[str, bytes]) -> Iterator[str]:
    for name, png in pictures.items():
        data = base64.b64encode(png).decode("ascii")
        yield f'<img alt="{name}" src="data:image/png;base64,{data}">'


def samples(games: Sequence[Played]) -> list[Played]:
    """Some games of every pair of players: first different endings, then whatever comes, without repeats."""
    chosen: list[Played] = []
    seen: set[object] = set()
    for key in (
        lambda g: ("forfeit", g.white, g.black) if g.reason.startswith("forfeit") else None,
        lambda g: (frozenset((g.white, g.black)),),
        lambda g: (frozenset((g.white, g.black)), g.result, g.reason.split(":")[0]),
        lambda g: (g.fen, g.moves),
    ):
        for game in games:
            mark = key(game)
            if len(chosen) < _SAMPLES and mark is not None and mark not in seen and game not in chosen:
                seen.add(mark)
                chosen.append(game)
    return chosen


def _game(game: Played) -> dict[str, object]:
    """Names, result, SAN and the piece placement after every ply (64 letters, a8 first)."""
    board = chess.Board(game.fen)
    boards, squares = [_placement(board)], [""]
    moves = game.moves.split()
    for text in moves:
        board.push_uci(text)
        boards.append(_placement(board))
        squares.append(text[:4])
    start = chess.Board(game.fen)
    return {
        "white": game.white,
        "black": game.black,
        "result": game.result,
        "reason": game.reason,
        "opening": game.opening,
        "book": game.opening_plies,
        "first": start.fullmove_number,
        "blackBegins": not start.turn,
        "san": list(san_moves(game.fen, moves)),
        "boards": boards,
        "squares": squares,
    }


def _placement(board: chess.Board) -> str:
    return re.sub(r"\d", lambda digit: "." * int(digit[0]), board.board_fen()).replace("/", "")
