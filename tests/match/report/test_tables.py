"""Tables, plots and the page: what they show is what was played, and the page needs nothing else."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from html.parser import HTMLParser
from pathlib import Path

import chess
import pytest
from matplotlib.axes import Axes

from match.play.game import Played
from match.report import tables as report
from match.report.page import page, samples, write_page
from match.report.plots import plots
from match.statistics.ratings import Rating, rate
from match.statistics.scores import Score, difference, evaluations_of, temperature_of
from match.statistics.sprt import Sprt
from tests.match.conftest import START

INF, NAN = float("inf"), float("nan")
MOVES = "e2e4 e7e5 f1c4 b8c6 d1h5 g8f6 h5f7"


def played(number: int, white: str, black: str, result: str, reason: str = "checkmate") -> Played:
    return Played(number, white, black, f"o{number // 2}", f"p{number // 2}", result, reason, START, MOVES, 2)


def some_games() -> list[Played]:
    found = []
    for i in range(40):
        net = f"net T={(0.001, 1)[i % 2]:g}"
        other = f"Stockfish level {i // 2 % 2}"
        found.append(played(i, net, other, ("1-0", "0-1", "1/2-1/2", "1-0", "0-1")[i % 5]))
    return [*found, played(40, "<b>fake</b>", "net T=1", "0-1", "forfeit by <b>fake</b>: hung: no bestmove within 1 s")]


def ratings() -> list[Rating]:
    anchors = {"Stockfish level 0": 1320.0, "Stockfish level 1": 1468.0}
    return rate([g.score() for g in some_games()], anchors)


def test_table_marks_anchors_bounds_and_unknowns() -> None:
    lines = report.ratings_table(
        [
            Rating("a", 1500, 1450, 1550, 100, 60, False, 0.987),
            Rating("b", 1320, 1320, 1320, 10, 5, True),
            Rating("c", 1200, -INF, 1200, 10, 0, False),
            Rating("d", 2000, 2000, INF, 10, 10, False),
            Rating("e", NAN, -INF, INF, 0, 0, False),
            Rating("f", 1500, 1400, INF, 9, 8, False),
        ]
    ).splitlines()
    assert re.search(r"60.0%\s+1500\s+1450 to 1550\s+98.7%$", lines[1])
    assert re.search(r"=1320\s+anchor$", lines[2])
    assert re.search(r"<1200\s+no bound to 1200$", lines[3])
    assert re.search(r">2000\s+2000 to no bound$", lines[4])
    assert re.search(r"\?\s+no tie to a rated player$", lines[5])
    assert re.search(r" 1500\s+1400 to no bound$", lines[6])


def test_cross_table_counts_from_the_heros_side() -> None:
    scores = [Score("a", "b", 1.0), Score("b", "a", 1.0), Score("b", "a", 0.5), Score("b", "c", 0.0)]
    lines = report.cross_table(scores, ["a"]).splitlines()
    assert len(lines) == 2
    assert re.search(r"a - b\s+1\s+1\s+1\s+50.0%", lines[1])


def test_endings_name_faults_and_count_different_games() -> None:
    text = report.endings(some_games())
    assert text.startswith("41 games, 1 of them different: 40 checkmate, 1 forfeit by <b>fake</b>")
    assert "1 x forfeit by <b>fake</b>: hung: no bestmove within 1 s" in text


def test_the_scale_is_named() -> None:
    assert "level 0 with 0.1 s a move = 1320" in report.scale([Rating("Stockfish level 0", 1320, 1320, 1320, 1, 1, True)])
    assert "scale of the anchors" in report.scale([Rating("x", 1, 1, 1, 1, 1, True)])
    assert "mean of the players that are tied to each other is 0" in report.scale([Rating("x", 1, 1, 1, 1, 1, False)])


def test_head_to_head_tells_the_test() -> None:
    text = report.head_to_head("a", "b", difference([0, 2, 50, 40, 8]), Sprt(0, 50))
    assert "a - b: 63.5% of the points, Elo +96 (95 %:" in text
    assert "points: 0, 2, 50, 40, 8" in text
    assert "verdict: stronger" in text
    assert "Elo +inf (95 %: " in report.head_to_head("a", "b", difference([0, 0, 0, 0, 5]))


def test_temperatures_are_read_from_names() -> None:
    assert temperature_of("my net T=0.001") == ("my net", 0.001)
    assert temperature_of("x T=1e-05") == ("x", 1e-05)
    assert temperature_of("Stockfish level 0") is None
    assert temperature_of("x T=..") is None


def test_evaluations_are_read_from_names() -> None:
    assert evaluations_of("my net T=0.001 nodes=64") == ("my net T=0.001", 64)
    assert evaluations_of("my net T=0.001") == ("my net T=0.001", 1)
    assert evaluations_of("Stockfish level 0 depth=1") is None
    assert evaluations_of("x T=.. nodes=3") is None


def test_a_plot_shows_every_net(monkeypatch: pytest.MonkeyPatch) -> None:
    names = [f"net {letter}" for letter in "abcdefghijkl"]
    shown: list[str] = []
    monkeypatch.setattr(Axes, "legend", lambda axes, **_: shown.extend(axes.get_legend_handles_labels()[1]))
    ratings = [Rating(f"{name} T={t:g}", 1000, 950, 1050, 100, 50, False) for name in names for t in (0.001, 1)]
    ratings += [Rating(f"{name} T=0.001 nodes={n}", 1000, 950, 1050, 100, 50, False) for name in names for n in (4, 16)]
    plots([played(0, "a", "b", "1-0")], ratings)
    assert {name for name in names if any(label.startswith(name) for label in shown)} == set(names)
    assert sum(label.startswith("net ") for label in shown) == 4 * len(names)  # three by temperature, one by evaluations


def test_plots_are_png_and_left_out_where_there_is_nothing_to_show() -> None:
    made = plots(some_games(), ratings())
    assert set(made) == {"rating-by-temperature", "score-by-level", "game-length"}
    assert all(png.startswith(b"\x89PNG") and len(png) > 5000 for png in made.values())
    few = [played(0, "a", "b", "1-0"), played(1, "b", "a", "1-0")]
    assert set(plots(few, rate([g.score() for g in few], {}))) == {"game-length"}


def test_a_net_at_several_numbers_of_evaluations_gets_a_plot_by_them() -> None:
    names = ["net T=0.1", "net T=0.1 nodes=16", "net T=0.1 nodes=64"]
    games = [played(i, names[i % 3], names[(i + 1) % 3], "1-0" if i % 4 else "0-1") for i in range(24)]
    made = plots(games, rate([g.score() for g in games], {}))
    assert made["rating-by-evaluations"].startswith(b"\x89PNG")


def test_samples_show_every_pairing_and_every_fault() -> None:
    games = some_games()
    chosen = samples(games)
    assert any(g.reason.startswith("forfeit") for g in chosen)
    assert {frozenset((g.white, g.black)) for g in chosen} == {frozenset((g.white, g.black)) for g in games}
    assert len(chosen) <= 24


class Tags(HTMLParser):
    """Which tags, sources and texts a page holds."""

    def __init__(self) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.sources: list[str] = []
        self.data: dict[str, str] = {}
        self._open = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.sources += [value or "" for name, value in attrs if name in ("src", "href")]
        self._open = dict(attrs).get("id") or tag

    def handle_data(self, data: str) -> None:
        self.data[self._open] = self.data.get(self._open, "") + data


def test_the_page_is_self_contained_and_its_boards_are_the_games(tmp_path: Path) -> None:
    path = write_page(some_games(), ratings(), "a table with <angle> & ampersand", tmp_path)
    text = path.read_text(encoding="utf-8")
    tags = Tags()
    tags.feed(text)
    assert all(source.startswith("data:image/png;base64,") for source in tags.sources)
    assert not re.search(r"https?://|@import|url\(", text)
    assert "%%" not in text
    assert "b" not in tags.tags  # a player's name is text, not HTML
    assert "a table with <angle> & ampersand" in tags.data["pre"]
    games = json.loads(tags.data["games"])
    assert len(games) == len(samples(some_games()))
    board = chess.Board()
    for uci, san, placement in zip(MOVES.split(), games[0]["san"], games[0]["boards"][1:], strict=True):
        assert board.san(chess.Move.from_uci(uci)) == san
        board.push_uci(uci)
        squares = [board.piece_at(chess.square(i % 8, 7 - i // 8)) for i in range(64)]
        assert placement == "".join(piece.symbol() if piece else "." for piece in squares)
    assert {p.name for p in tmp_path.glob("*.png")} == {"rating-by-temperature.png", "score-by-level.png", "game-length.png"}


def test_a_players_name_cannot_end_the_script() -> None:
    evil = played(0, "</script><img src=x>", "b", "1-0")
    assert page([evil], [], "", {}, title="t").count("</script>") == 2


@pytest.mark.skipif(shutil.which("node") is None, reason="node is not installed")
def test_the_script_steps_through_a_game(tmp_path: Path) -> None:
    text = page(some_games(), ratings(), "", {}, title="t")
    data = re.search(r'id="games">(.*?)</script>', text, re.S)
    script = text[text.rindex("<script>") + 8 : text.rindex("</script>")]
    assert data
    (tmp_path / "t.js").write_text(STUB.replace("DATA", json.dumps(data[1])) + script + CHECK)
    done = subprocess.run(["node", str(tmp_path / "t.js")], capture_output=True, text=True, check=False)
    assert done.stdout.strip() == "2 7 7 6 0 64", done.stderr


STUB = """
const made = {};
function element() {
  return {children: [], classList: {add() {}, toggle() {}}, append(...x) { this.children.push(...x); }, set textContent(t) {
    this.text = t; if (t === "") this.children = []; }, get textContent() { return this.text; }};
}
const document = {getElementById: id => made[id] ??= Object.assign(element(), id === "games" ? {text: DATA} : {}),
  createElement: element, querySelectorAll: () => [], querySelector: () => null,
  addEventListener: (name, f) => { document.key = f; }};
"""
CHECK = """
const seen = [ply];
const press = key => { document.key({key, target: {tagName: "BODY"}, preventDefault() {}}); seen.push(ply); };
press("End"); press("ArrowRight"); press("ArrowLeft"); press("Home");
console.log(seen.join(" "), at("board").children.length);
"""
