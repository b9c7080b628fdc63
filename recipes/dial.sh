#!/bin/sh
# The strength dial of a net: what it plays like at its settings, written into the net, and then checked at other ones.
#
#   recipes/dial.sh [NET] [OUT]     NET: an .onnx file, which is given its dial (default: the one that ships)
#
#   SETTINGS="800:1 … 2500:0.001"    rating told:temperature, the weakest first     SCALE=lichess   of these ratings
#   GAMES=60                        a pairing while measuring                     CHECK_GAMES=60  a pairing while checking
#   RESULTS                         where the result files go (default: NET.dial) MATCH           more options for the matches
#
# Both times all settings, Stockfish's levels 0 and 1 and the rungs below them play everyone against everyone. The check asks for
# strengths between the measured ones, with other openings and other random numbers. The same command resumes it; another
# net or other settings begin anew.
set -eu
root=$(CDPATH= cd -- "$(dirname -- "$0")/.." && pwd)
shipped=$root/models/transcendence.onnx
net=${1:-$shipped}
. "$root/bin/environment.sh"
prepare export # has what writes into a net
net=$(CDPATH= cd -- "$(dirname -- "$net")" && pwd)/$(basename "$net")
out=${2:-$root/runs/dial/$(basename "$net" .onnx)}
. "$root/recipes/steps.sh"
results=${RESULTS:-${net%.onnx}.dial}
[ "$net" != "$shipped" ] || results=${RESULTS:-$root/models/evidence/dial}
scale=${SCALE:-lichess}
mkdir -p "$out" "$results"

# Of what the net computes: writing a dial leaves that as it is.
digest=$("$python" -c 'import sys, pathlib; from engine.net_file import digest; print(digest(pathlib.Path(sys.argv[1])))' "$net")
for setting in ${SETTINGS:-800:1 1000:0.9 1200:0.8 1400:0.7 1500:0.6 1600:0.5 1800:0.4 2000:0.3 2200:0.1 2500:0.001}; do
  printf '[[player]]\nname = "told %s T=%s"\nnet = %s\nrating = %s\nscale = "%s"\ntemperature = %s\n\n' \
    "${setting%:*}" "${setting#*:}" "$(toml_text "$net")" "${setting%:*}" "$scale" "${setting#*:}"
done >"$out/settings.toml"

pool() { # pool NAME POPULATION SEED GAMES: folder and step are called by the net and its settings too
  folder=$1-$digest-$(cksum <"$2" | cut -d ' ' -f 1)
  # shellcheck disable=SC2086 # options are words
  once "$folder-$4" "$root/bin/match" robin "$2" stockfish:0 stockfish:1 "$root/match/populations/ladder-down.toml" --seed "$3" \
    --games "$4" --out "$out/$folder" --no-page ${MATCH:-}
  "$root/bin/match" curve "$out/$folder" --json "$results/$1.json" --note net="$(basename "$net")" --note scale="$scale" \
    --note games="$4" --note date="$(date +%Y-%m-%d)" --note commit="$(git -C "$root" rev-parse --short HEAD)" \
    >"$results/$1.txt"
}

pool measured "$out/settings.toml" 11 "${GAMES:-60}"
"$python" -m export.dial "$net" --players "$out/settings.toml" --ratings "$results/measured.json"
"$python" -m match.studies.dial "$net" >"$out/asked.toml"
pool checked "$out/asked.toml" 12 "${CHECK_GAMES:-60}"
"$python" -m match.studies.dial "$net" --checked "$results/checked.json" --out "$results"
