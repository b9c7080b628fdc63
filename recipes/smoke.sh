#!/bin/sh
# The whole chain in some five minutes: games -> token store -> training -> ONNX -> games against Stockfish.
#
#   recipes/smoke.sh [FOLDER]     leaves everything in FOLDER (default: runs/smoke, begun anew each time)
#
# The net that comes out has read some hundred games in a minute: it shows that every part works, not how to play.
set -eu
root=$(CDPATH= cd -- "$(dirname -- "$0")/.." && pwd)
out=${1:-$root/runs/smoke}
rm -rf "$out"
mkdir -p "$out"

echo "1/5 games: the shipped net at temperature 1 against the built-in players and Stockfish, if there is one" >&2
"$root/bin/match" play --temperature 1 --levels 0 --builtin random greedy --games 60 --out "$out/games"

echo "2/5 token store" >&2
"$root/bin/data" ingest "$out/games/games.pgn" --out "$out/store"
"$root/bin/data" inspect "$out/store"

echo "3/5 training, one minute" >&2
"$root/bin/train" "$out/store" --preset smoke --minutes 1 --out "$out/run"

echo "4/5 export and proof" >&2
"$root/bin/export" "$out/run" --out "$out/smoke.onnx" --games 5

echo "5/5 the new net plays" >&2
"$root/bin/match" play --net "$out/smoke.onnx" --levels 0 --builtin random --games 6 --out "$out/match"
test -s "$out/match/games.pgn"
printf 'uci\nposition startpos\ngo movetime 100\n' | "$root/bin/transcendence" --model "$out/smoke.onnx" | grep '^bestmove'
