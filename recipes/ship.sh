#!/bin/sh
# From a finished run to the net that ships: export with proof (400 games of int8 against fp32 among it), held-out figures,
# matches, what people notice at once (bin/match sanity), strength dial, human-likeness, card.
#
#   recipes/ship.sh RUN STORE [RATING SCALE]     e.g. recipes/ship.sh runs/first data/all 2000 lichess
#
# Leaves models/transcendence.onnx (int8), its card models/transcendence.md, and in models/evidence the outputs that the card
# quotes: all of it at the end, so that what was there stays together until what replaces it is whole. The fp32 twin stays in
# runs/ship: it is four times the size, and the gate in bin/export says what rounding cost.
#
#   GAMES, CHECK_GAMES     of the strength dial, see recipes/dial.sh
set -eu
root=$(CDPATH= cd -- "$(dirname -- "$0")/.." && pwd)
run=${1:?expected the folder of a run} store=${2:?expected a store of games of people, made by bin/data} rating=${3:-0} scale=${4:-}
. "$root/bin/environment.sh"
prepare export
work=$root/runs/ship
models=$work/models
net=$models/transcendence.onnx
evidence=$models/evidence
rm -rf "$work"
mkdir -p "$evidence"

"$root/bin/export" "$run" --out "$work/transcendence.onnx" --store "$store" --int8 --rating "$rating" ${scale:+--scale "$scale"}
cp "$work/transcendence.int8.onnx" "$net"
cp "$work/transcendence.verified.json" "$models/"
"$root/bin/evaluate" "$run" "$store" --plies 200000 --out "$evidence/evaluation.json" >"$evidence/evaluation.md"
"$root/bin/data" sources "$store" >"$evidence/sources.md"
grep '"validation"' "$run/metrics.jsonl" >"$evidence/validation.jsonl"
"$root/bin/curves" "$run" --figure "$evidence/curves.png" >"$evidence/curves.txt"

played() { # played NAME OPTION…: a match, whose table is evidence
  name=$1 && shift
  "$root/bin/match" play --net "$net" "$@" --out "$work/$name" --no-page
  cp "$work/$name/table.txt" "$evidence/$name.txt"
}
played random --levels --builtin random --games 400
played random-taking-mate --take-mate --levels --builtin random --games 400
played levels --levels 0 1 2 3 --builtin --games 200
played temperatures --temperature 0.001 --temperature 0.5 --temperature 1 --levels 0 1 --builtin --games 100
played taking-mate --take-mate --levels 0 1 2 3 --builtin --games 200

sane() { # sane NAME OPTION…
  name=$1 && shift
  "$root/bin/match" sanity --net "$net" --positions "$root/match/studies/sanity.txt" "$@" --out "$work/$name"
  cp "$work/$name/sanity.txt" "$evidence/$name.txt"
}
sane sanity --from "$work/random" --from "$work/levels"
sane sanity-taking-mate --take-mate

RESULTS=$evidence/dial "$root/recipes/dial.sh" "$net" "$work/dial"
"$python" -m training.evaluation.likeness "$net" "$store" --out "$evidence/dial/likeness.json" >"$evidence/dial/likeness.txt"
TRANSCENDENCE_MODEL=$net "$root/bin/transcendence" --check |
  grep -e '^ONNX Runtime' -e '^precision' -e '^device' -e '^time per move' >"$evidence/speed.txt"
set --
for name in levels taking-mate random random-taking-mate temperatures dial/dial sanity; do set -- "$@" --match "$evidence/$name.txt"; done
"$python" -m export.card "$net" --evaluation "$evidence/evaluation.json" --note "$root/models/notes.md" \
  --curves "$evidence/curves.png" --sources "$evidence/sources.md" --speed "$evidence/speed.txt" "$@"

rm -rf "$root/models/evidence"
cp -R "$models/." "$root/models/"
