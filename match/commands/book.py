"""``match book``: an opening book from the net's own games.

Knows the file that is written. Does not know how openings are chosen (``match.play.book``).
"""

from __future__ import annotations

import argparse
from pathlib import Path

from tqdm import tqdm

from engine.errors import MatchError
from engine.files import write_text
from engine.inference.evaluator import Evaluator
from engine.net import Net, find_net
from match.options import positive
from match.players.client import INSTALL_STOCKFISH, find_stockfish


def add_options(options: argparse.ArgumentParser) -> None:
    """The options of the command."""
    options.add_argument("--out", type=Path, required=True, help="the book to write, a line of UCI moves an opening")
    options.add_argument("--net", help="the net, an .onnx file (default: the one that ships)")
    options.add_argument("--lines", type=positive, default=300, help="openings (default: %(default)s)")
    options.add_argument("--plies", type=positive, default=8, help="of each opening (default: %(default)s)")
    options.add_argument("--seed", type=int, default=1)


def book(arguments: argparse.Namespace) -> None:
    """Make the book. Raises MatchError for a file that is there, and when there is no Stockfish to judge the openings."""
    from match.play.book import make_book  # here: it imports chess.engine, which no other command needs

    stockfish = find_stockfish()
    if arguments.out.exists():  # a match that began with another book is not resumed with this one
        raise MatchError(f"{arguments.out} is there already; choose another --out, or remove it")
    if stockfish is None:
        raise MatchError(f"expected Stockfish to judge the openings. {INSTALL_STOCKFISH}")
    evaluator = Evaluator(Net.open(find_net(arguments.net)))
    made = make_book(evaluator, stockfish, lines=arguments.lines, plies=arguments.plies, seed=arguments.seed)
    lines = [" ".join(opening.moves) for opening in tqdm(made, total=arguments.lines, disable=None, leave=False)]
    name = evaluator.net.info.name
    head = f"# {len(lines)} openings of {arguments.plies} plies, drawn from the net {name} at T=1, level by Stockfish\n"
    write_text(arguments.out, head + "\n".join(lines) + "\n")
    print(f"{arguments.out}: {len(lines)} openings")
