#!/bin/sh
# One net for all caps: conditioned on a rating it plays at temperature 1 as people of that rating do, near 0 as most of them would.
#
#   recipes/one-net.sh [NET] [OUT]     NET: one that was trained with ratings (default: the one that ships)
#
#   RATINGS="1000 1300 1500 2000"   to condition it on   SCALE=lichess   of these ratings
#   GAMES=60                        a pairing           MATCH           more options for the match
#
# The net at two temperatures for each rating, Stockfish's level 0 and the rungs below it, everyone against everyone, in one pool.
# Result files go to docs/results/transcendence/one-net. The same command resumes it after a stop.
set -eu
root=$(CDPATH= cd -- "$(dirname -- "$0")/.." && pwd)
net=${1:-$root/models/transcendence.onnx}
out=${2:-$root/runs/transcendence/one-net}
results=${RESULTS:-$root/docs/results/transcendence}/$(basename "$out")
. "$root/recipes/steps.sh"
mkdir -p "$out" "$results"
net=$(CDPATH= cd -- "$(dirname -- "$net")" && pwd)/$(basename "$net")

for rating in ${RATINGS:-1000 1300 1500 2000}; do
  for temperature in 1 0.001; do
    printf '[[player]]\nname = "as %s T=%s"\nnet = %s\nrating = %s\nscale = "%s"\ntemperature = %s\n\n' \
      "$rating" "$temperature" "$(toml_text "$net")" "$rating" "${SCALE:-lichess}" "$temperature"
  done
done >"$out/population.toml"

# shellcheck disable=SC2086 # options are words
"$root/bin/match" robin "$out/population.toml" stockfish:0 stockfish:1 "$root/match/populations/ladder-down.toml" \
  --games "${GAMES:-60}" --out "$out/match" --no-page ${MATCH:-}
"$root/bin/match" curve "$out/match" --json "$results/curve.json" --note net="$(basename "$net")" \
  --note scale="${SCALE:-lichess}" --note date="$(date +%Y-%m-%d)" --note commit="$(git -C "$root" rev-parse --short HEAD)" \
  >"$results/curve.txt"
cat "$results/curve.txt"
