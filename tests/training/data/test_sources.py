"""Sources of games: rating scales that a file gives them, and the table of a store's sources."""

from __future__ import annotations

from pathlib import Path

import pytest

from engine.encoding import Scale
from engine.errors import DataError
from training.data.__main__ import main
from training.data.sources import known_sources, sources_table
from training.data.store import open_store

LINES = [
    "dosoe/Guess-The-Elo\tchess.com\t1500\t1400\t600\t1-0\tnormal\te2e4 e7e5",
    "someone/games\tother\t2000\t2100\t\t0-1\tnormal\td2d4 d7d5",
    "someone/games\tlichess\t1700\t1650\t180+2\t0-1\tnormal\tc2c4 c7c5",
    "mine\tother\t1800\t1650\t\t0-1\tnormal\tg1f3 g8f6",
]


def store_of(folder: Path, *options: str) -> Path:
    games, out = folder / "games.tsv", folder / "store"
    games.write_text("\n".join(LINES) + "\n", encoding="utf-8")
    assert main(["ingest", str(games), "--out", str(out), *options]) == 0
    return out


def scales_of(path: Path) -> list[Scale]:
    return [Scale(int(scale)) for scale in open_store(path).shards[0].games["scale"]]


def test_known_sources_and_sites_have_their_scales(tmp_path: Path) -> None:
    assert scales_of(store_of(tmp_path)) == [Scale.FIDE, Scale.FIDE, Scale.LICHESS, Scale.FIDE]


def test_a_file_and_the_command_line_come_on_top(tmp_path: Path) -> None:
    more = tmp_path / "more.toml"
    more.write_text('[mine]\nscale = "lichess"\n["someone/games"]\nscale = "engine"\n', encoding="utf-8")
    found = scales_of(store_of(tmp_path, "--sources", str(more), "--scale", "mine=chesscom"))
    assert found == [Scale.FIDE, Scale.ENGINE, Scale.ENGINE, Scale.CHESSCOM]


def test_the_table_names_sources_counts_and_licences(tmp_path: Path) -> None:
    more = tmp_path / "more.toml"
    more.write_text('[mine]\nlicence = "CC BY 4.0"\nnote = "my club"\n', encoding="utf-8")
    lines = sources_table(open_store(store_of(tmp_path)), known_sources(more)).splitlines()
    assert len(lines) == 2 + 4
    assert any(line.startswith("| 1 | someone/games | lichess | CC0 | the site publishes") for line in lines)
    assert any(line.startswith("| 1 | someone/games | fide | not stated |") for line in lines)
    assert any(line.startswith("| 1 | mine | fide | CC BY 4.0 |") and line.endswith("| my club |") for line in lines)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("scale = ", "expected a TOML file that describes sources at .*more.toml"),
        ('[mine]\nscale = "uscf"\n', r'more.toml \["mine"\]: expected a rating scale of unknown, lichess.*got .uscf.'),
        ('[mine]\nlicense = "CC0"\n', r"expected texts under scale, licence, again, note, got license = 'CC0'"),
        ("[mine]\nlicence = 3\n", r"expected texts under .* got licence = 3"),
        ("mine = 3\n", r'\["mine"\]: expected a table with scale, .* got 3'),
        ('[scale.uscf]\nlicence = "x"\n', r"\[scale.uscf\]: expected a rating scale of"),
    ],
)
def test_a_wrong_file_is_one_clear_line(tmp_path: Path, text: str, message: str) -> None:
    more = tmp_path / "more.toml"
    more.write_text(text, encoding="utf-8")
    with pytest.raises(DataError, match=message):
        known_sources(more)


def test_the_command_prints_the_table(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = store_of(tmp_path)
    capsys.readouterr()
    assert main(["sources", str(out)]) == 0
    assert "| dosoe/Guess-The-Elo | fide | not stated |" in capsys.readouterr().out
