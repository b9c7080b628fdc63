#!/bin/sh
# What Stockfish's levels are worth when they search to depth level + 1 alone, on the scale of its own table.
#
#   recipes/level-anchors.sh [FOLDER]     some 40 minutes on two cores; the same command resumes it
#
# The levels by depth play each other, and each plays itself with 0.1 s a move; in the pool of both matches the levels with a
# clock stand fixed on Stockfish's table. What comes out belongs into match/players/stockfish.py (LEVEL_BY_DEPTH_ELO).
set -eu
root=$(CDPATH= cd -- "$(dirname -- "$0")/.." && pwd)
out=${1:-$root/runs/level-anchors}
results=$root/docs/results/matches
"$root/bin/match" anchors --games 160 --no-page --out "$out/anchors"
"$root/bin/match" equality --games 200 --no-page --out "$out/equality"
cp "$out/anchors/table.txt" "$results/anchors.txt"
cp "$out/equality/table.txt" "$results/equality.txt"
"$root/bin/match" rate "$out/anchors/games.pgn" "$out/equality/games.pgn" --no-anchors \
  --anchor "Stockfish level 0 movetime=100=1320" --anchor "Stockfish level 1 movetime=100=1468" \
  --anchor "Stockfish level 2 movetime=100=1608" --anchor "Stockfish level 3 movetime=100=1742" \
  --anchor "Stockfish level 4 movetime=100=1923" --anchor "Stockfish level 5 movetime=100=2204" \
  >"$results/levels-by-depth.txt"
cat "$results/levels-by-depth.txt"
