#!/bin/sh
# The strength dial of a net: what it plays like at its settings, written into the net, and then checked at other ones.
#
#   recipes/dial.sh [NET] [OUT]     NET: an .onnx file, which is given its dial (default: the one that ships)
#
#   SETTINGS="800:1 … 2200:0.1"      rating:temperature, the weakest first     SCALE=lichess   of these ratings
#   SEARCH="1:0,1,2 … 1024:4,5"      evaluations a move:Stockfish levels to meet    STRONG=2500:fide rating to condition on then, and its scale
#   GAMES=60, CHECK_GAMES=60         a pairing while measuring and checking
#   SEARCH_GAMES, CHECK_SEARCH_GAMES the same of those with a search (as many)
#   RESULTS                          where the result files go (default: NET.dial)  MATCH           more options for the matches
#
# Both times all settings without a search, Stockfish's levels 0 and 1 and the rungs below them play everyone against everyone; each
# of SEARCH, at temperature 0.001, plays its levels. The check asks for strengths between the measured ones, with other openings and
# other random numbers. The same command resumes it; another net or other settings begin anew.
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
player() { # player RATING SCALE TEMPERATURE EVALUATIONS: a player of the net, in TOML
  searching=
  [ "$4" = 1 ] || searching=" nodes=$4"
  printf '[[player]]\nname = "as %s T=%s%s"\nnet = %s\nrating = %s\nscale = "%s"\ntemperature = %s\nnodes = %s\n\n' \
    "$1" "$3" "$searching" "$(toml_text "$net")" "$1" "$2" "$3" "$4"
}

robin() { # robin FOLDER SEED GAMES PLAYER…
  folder=$1 robin_seed=$2 robin_games=$3 # not the names of pool's variables: a shell function has none of its own
  shift 3
  # shellcheck disable=SC2086 # options are words
  once "$folder-$robin_games" "$root/bin/match" robin "$@" --seed "$robin_seed" --games "$robin_games" --out "$out/$folder" --no-page \
    ${MATCH:-}
}

# pool NAME SEED GAMES SEARCH_GAMES: the players of NAME.toml meet each other, those of NAME-searching.toml the levels in
# NAME.rivals (lines of PLAYER|LEVEL LEVEL); all of them are rated together. Folders and steps are called by the net and the players too.
pool() {
  name=$1 seed=$2 games=$3 search_games=$4
  key=$name-$digest-$(cat "$out/$name.toml" "$out/$name-searching.toml" "$out/$name.rivals" | cksum | cut -d ' ' -f 1)
  robin "$key" "$seed" "$games" "$out/$name.toml" stockfish:0 stockfish:1 "$root/match/populations/ladder-down.toml"
  set -- "$out/$key"
  while IFS='|' read -r player levels <&3; do
    # shellcheck disable=SC2046,SC2086 # levels are words
    robin "$key-$(($# - 1))" "$seed" "$search_games" "$out/$name-searching.toml:$player" $(printf 'stockfish:%s ' $levels)
    set -- "$@" "$out/$key-$(($# - 1))"
  done 3<"$out/$name.rivals"
  "$root/bin/match" curve "$@" --json "$results/$name.json" --note net="$(basename "$net")" --note scale="$scale" \
    --note games="$games" --note search_games="$search_games" --note date="$(date +%Y-%m-%d)" \
    --note commit="$(git -C "$root" rev-parse --short HEAD)" >"$results/$name.txt"
}

strong=${STRONG:-2500:fide}
for setting in ${SETTINGS:-800:1 1000:0.9 1200:0.8 1400:0.7 1500:0.6 1600:0.5 1800:0.4 2000:0.3 2200:0.1}; do
  player "${setting%:*}" "$scale" "${setting#*:}" 1
done >"$out/measured.toml"
: >"$out/measured-searching.toml"
: >"$out/measured.rivals"
for setting in ${SEARCH-1:0,1,2 4:0,1,2 16:2,3 64:3,4 256:4,5 1024:4,5}; do
  player "${strong%:*}" "${strong#*:}" 0.001 "${setting%:*}" >>"$out/measured-searching.toml"
  name=$(sed -n 's/^name = "\(.*\)"$/\1/p' "$out/measured-searching.toml" | tail -n 1)
  printf '%s|%s\n' "$name" "$(echo "${setting#*:}" | tr , ' ')" >>"$out/measured.rivals"
done
cat "$out/measured.toml" "$out/measured-searching.toml" >"$out/settings.toml"

pool measured 11 "${GAMES:-60}" "${SEARCH_GAMES:-${GAMES:-60}}"
"$python" -m export.dial "$net" --players "$out/settings.toml" --ratings "$results/measured.json"
"$python" -m match.studies.dial "$net" >"$out/checked.toml"
"$python" -m match.studies.dial "$net" --searching >"$out/checked-searching.toml"
"$python" -m match.studies.dial "$net" --rivals >"$out/checked.rivals"
pool checked 12 "${CHECK_GAMES:-60}" "${CHECK_SEARCH_GAMES:-${CHECK_GAMES:-60}}"
"$python" -m match.studies.dial "$net" --checked "$results/checked.json" --out "$results"
