"""20,000 damaged lines against the real process: it lives, answers, owes no bestmove and prints nothing but UCI."""

from __future__ import annotations

import random
import re
import sys
import threading
import time
from pathlib import Path

from engine.uci.protocol import Go, decode, parse
from tests.engine.uci.driver import Client, in_process

LINES = 20_000
SEED = 20261123

GOOD = re.compile(
    r"id name \S.*|id author \S.*|option name \S.* type (check|spin|combo|button|string)( default \S.*)?|uciok|readyok"
    r"|info string \S.*"
    r"|info depth \d+ seldepth \d+ multipv \d+ score (cp|mate) -?\d+( wdl \d+ \d+ \d+)? nodes \d+ nps \d+( hashfull \d+)?"
    r" time \d+"
    r"( pv( [a-h][1-8][a-h][1-8][nbrq]?)+)?"
    r"|bestmove (\(none\)|[a-h][1-8][a-h][1-8][nbrq]?( ponder [a-h][1-8][a-h][1-8][nbrq]?)?)"
)


def seeds() -> list[bytes]:
    """What the dialogues send, without the lines that would write files outside the test's folder."""
    texts = [path.read_text(encoding="utf-8") for path in (Path(__file__).with_name("dialogues")).glob("*.txt")]
    sent = {line[2:] for text in texts for line in text.split("\n") if line.startswith("> ")}
    sent |= {"setoption name MoveDelay value 5", "setoption name Seed value 3", "debug on", "xboard", "quit now"}
    return sorted(line.encode() for line in sent if "Log File" not in line)


def damaged(line: bytes, chance: random.Random) -> bytes:
    """The line with zero to three injuries; never ``quit``, which would end the test early."""
    words = line.split(b" ")
    for _ in range(chance.choice((0, 1, 1, 2, 3))):
        i, j = chance.randrange(len(words)), chance.randrange(len(words))
        match chance.randrange(8):
            case 0:
                words[i], words[j] = words[j], words[i]
            case 1:
                words.insert(i, words[j])
            case 2:
                words = words[: i + 1]
            case 3:
                words[i] = chance.choice(
                    (b"", b"-1", b"99999999999999999999", b"nan", b"<empty>", b"0", b"\xc3\xa4\xff", b"\t")
                )
            case 4:
                cut = chance.randrange(len(words[i]) + 1)
                words[i] = words[i][:cut] + bytes([chance.randrange(256)]) + words[i][cut:]
            case 5:
                words[i] = words[i][: len(words[i]) // 2]
            case 6:
                words += words[j:] * chance.randrange(4)
            case _:
                words[i] = words[i].swapcase()
    mangled = b" ".join(words).replace(b"\n", b"").replace(b"\r", b"")
    return b"" if mangled.split()[:1] == [b"quit"] or b"Log" in mangled else mangled


def test_twenty_thousand_damaged_lines(random_net: Path, tmp_path: Path) -> None:
    chance = random.Random(SEED)
    corpus = seeds()
    client, process = in_process([sys.executable, "-m", "engine", "--model", str(random_net)], cwd=tmp_path)
    output: list[str] = []
    listener = threading.Thread(target=_listen, args=(client, output), daemon=True)
    listener.start()
    searches = 0
    for _ in range(0, LINES, 500):
        lines = [damaged(chance.choice(corpus), chance) for _ in range(500)]
        searches += sum(isinstance(parse(decode(line)), Go) for line in lines)
        client.send_bytes(b"\n".join(lines) + b"\nstop\n")
        _await(output, client, searches)
    assert searches > LINES / 10
    client.send("position startpos", "go depth 1")
    _await(output, client, searches + 1)
    client.send("quit")
    listener.join(timeout=10)
    client.rest()
    assert process.wait(timeout=10) == 0
    strange = [line for line in output if not GOOD.fullmatch(line)]
    assert strange == []
    assert [line for line in output if "internal error" in line] == []
    assert process.stderr
    with process.stderr:
        assert process.stderr.read() == b""


def _listen(client: Client, output: list[str]) -> None:
    while (line := client.line(patience_s=60)) is not None:
        output.append(line)


def _await(output: list[str], client: Client, searches: int) -> None:
    """Wait until every search so far has its bestmove and ``isready`` its answer; nothing more may come then."""
    ends = time.monotonic() + 60
    while sum(line.startswith("bestmove") for line in output) < searches:
        assert time.monotonic() < ends, f"a bestmove is missing; the last lines were {output[-5:]}"
        time.sleep(0.002)
    pongs = output.count("readyok")
    client.send("isready")
    while output.count("readyok") <= pongs:
        assert time.monotonic() < ends, f"no readyok; the last lines were {output[-5:]}"
        time.sleep(0.002)
    assert sum(line.startswith("bestmove") for line in output) == searches
