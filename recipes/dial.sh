#!/bin/sh
# The strength dial of a net: what it plays like at its settings, written into the net, and then checked at other ones.
#
#   recipes/dial.sh [NET] [OUT]     NET: an .onnx file, which is given its dial (default: the one that ships)
#
#   SETTINGS="800:1 … 2200:0.1"     rating told:temperature, the weakest first     SCALE=lichess   of these ratings
#   GAMES=60                        a pairing while measuring                     CHECK_GAMES=60  a pairing while checking
#   RESULTS                         where the result files go                     MATCH           more options for the matches
#
# Both times all settings, Stockfish's levels 0 and 1 and the rungs below them play everyone against everyone. The check asks for
# strengths between the measured ones, with other openings and other random numbers. The same command goes on after a stop.
set -eu
root=$(CDPATH= cd -- "$(dirname -- "$0")/.." && pwd)
net=${1:-$root/models/transcendence.onnx}
out=${2:-$root/runs/dial}
. "$root/recipes/steps.sh"
net=$(CDPATH= cd -- "$(dirname -- "$net")" && pwd)/$(basename "$net")
results=${RESULTS:-$(dirname "$net")/evidence/dial}
scale=${SCALE:-lichess}
"$root/bin/export" --help >/dev/null # its environment has what writes into a net
mkdir -p "$out" "$results"

settings=${SETTINGS:-800:1 1000:0.9 1200:0.8 1400:0.7 1500:0.6 1600:0.5 1800:0.4 2000:0.3 2200:0.1}
for setting in $settings; do
  printf '[[player]]\nname = "told %s T=%s"\nnet = "%s"\nrating = %s\nscale = "%s"\ntemperature = %s\n\n' \
    "${setting%:*}" "${setting#*:}" "$net" "${setting%:*}" "$scale" "${setting#*:}"
done >"$out/settings.toml"

pool() { # pool NAME POPULATION SEED GAMES
  # shellcheck disable=SC2086 # options are words
  once "$1-$4" "$root/bin/match" robin "$2" stockfish:0 stockfish:1 "$root/match/populations/ladder-down.toml" --seed "$3" \
    --games "$4" --out "$out/$1" --no-page ${MATCH:-}
  "$root/bin/match" curve "$out/$1" --json "$results/$1.json" --note net="$(basename "$net")" --note scale="$scale" \
    --note games="$4" --note date="$(date +%Y-%m-%d)" --note commit="$(git -C "$root" rev-parse --short HEAD)" \
    >"$results/$1.txt"
}

pool measured "$out/settings.toml" 11 "${GAMES:-60}"
once written "$root/.venv/bin/python" -m export.dial "$net" --players "$out/settings.toml" --ratings "$results/measured.json"
"$root/.venv/bin/python" -m match.dial "$net" >"$out/asked.toml"
pool checked "$out/asked.toml" 12 "${CHECK_GAMES:-60}"
"$root/.venv/bin/python" -m match.dial "$net" --checked "$results/checked.json" --out "$results"
