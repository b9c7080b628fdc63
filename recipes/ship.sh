#!/bin/sh
# From a finished run to the net that ships: export with proof (400 games of int8 against fp32 among it), held-out figures,
# matches, what people notice at once (bin/match sanity), strength dial, human-likeness, card.
#
#   recipes/ship.sh RUN STORE [RATING SCALE]     e.g. recipes/ship.sh runs/first data/all 2000 3
#
# Leaves models/transcendence.onnx (int8), its card models/transcendence.md, and in models/evidence the outputs that the card
# quotes. The fp32 twin stays in runs/ship: it is four times the size, and the gate in bin/export says what rounding cost.
set -eu
root=$(CDPATH= cd -- "$(dirname -- "$0")/.." && pwd)
run=$1 store=$2 rating=${3:-0} scale=${4:-0}
work=$root/runs/ship
evidence=$root/models/evidence
rm -rf "$work"
mkdir -p "$work" "$evidence"
rm -f "$evidence/int8-against-fp32.txt" # of packages from before bin/export played this match

"$root/bin/export" "$run" --out "$work/transcendence.onnx" --store "$store" --int8 --rating "$rating" --scale "$scale"
cp "$work/transcendence.int8.onnx" "$root/models/transcendence.onnx"
cp "$work/transcendence.verified.json" "$root/models/"
"$root/bin/evaluate" "$run" "$store" --plies 200000 --out "$evidence/evaluation.json" >"$evidence/evaluation.md"
grep '"validation"' "$run/metrics.jsonl" >"$evidence/validation.jsonl"
"$root/bin/curves" "$run" --figure "$evidence/curves.png" >"$evidence/curves.txt"

net=$root/models/transcendence.onnx
"$root/bin/match" play --net "$net" --levels --builtin random --games 400 --out "$work/random" --no-page
"$root/bin/match" play --net "$net" --levels 0 1 2 3 --builtin --games 200 --out "$work/levels" --no-page
"$root/bin/match" play --net "$net" --temperature 0.001 --temperature 0.5 --temperature 1 --levels 0 1 --builtin --games 100 \
  --out "$work/temperatures" --no-page
"$root/bin/match" play --net "$net" --take-mate --levels 0 1 2 3 --builtin --games 200 --out "$work/taking-mate" --no-page
for name in random levels temperatures taking-mate; do cp "$work/$name/table.txt" "$evidence/$name.txt"; done
"$root/bin/match" sanity --net "$net" --positions "$root/match/sanity.txt" --from "$work/random" --from "$work/levels" \
  --out "$work/sanity"
cp "$work/sanity/sanity.txt" "$evidence/"

cd "$root"
recipes/dial.sh models/transcendence.onnx "$work/dial"
.venv/bin/python -m training.likeness models/transcendence.onnx "$store" --out "$evidence/dial/likeness.json" \
  >"$evidence/dial/likeness.txt"
TRANSCENDENCE_MODEL=$net bin/transcendence --check | grep -e '^ONNX Runtime' -e '^precision' -e '^device' -e '^time per move' \
  >"$evidence/speed.txt"
.venv/bin/python -m export.card models/transcendence.onnx --evaluation models/evidence/evaluation.json --note models/notes.md \
  --curves models/evidence/curves.png --speed models/evidence/speed.txt --match models/evidence/levels.txt \
  --match models/evidence/taking-mate.txt --match models/evidence/random.txt --match models/evidence/temperatures.txt \
  --match models/evidence/dial/dial.txt --match models/evidence/sanity.txt
