#!/bin/sh
# Does a net play stronger that also read games of teachers who hardly blunder, and does it still foresee people's moves?
#
#   recipes/teachers.sh STORE NET [OUT]     STORE: people's games; NET: what to begin from, a run's folder or an exported net
#
#   GAMES=60000     of the teachers (match/populations/teachers.toml), from openings of STORE
#   MIDDLE=0        more of them from positions of people's games, 13 to 30 men, people of all ratings alike: what weak play gets into
#   ENDINGS=0       and, by match/populations/finishers.toml, from endings, 3 to 12 men: people seldom play a won one to the end
#   MATES=0         and from each of K+Q v K and K+R v K, on random squares (these two need Stockfish 15.1 or older)
#   PER_BAND=10000  people's games of each 100 points beside them             MINUTES=110   of training
#   TRAIN           options for bin/train (two thirds of laptop's rates)      MATCH_GAMES=200   a pairing
#   TEACHER=1988:engine  PERSON=2500:fide     ratings to condition the new net on in the matches; NET has PERSON
#   RESULTS         where the result files go (default: docs/results/training/OUT's name)
#
# Three players meet: the new net with either rating, and the old one; then both nets are judged on STORE's held-out games. It may be
# stopped at any time: the same command resumes it.
set -eu
root=$(CDPATH= cd -- "$(dirname -- "$0")/.." && pwd)
. "$root/recipes/steps.sh"
store=${1:?expected a store of games of people, made by bin/data}
before=${2:?expected what to begin from: a run\'s folder or an exported net}
out=${3:-$root/runs/teachers}
results=${RESULTS:-$root/docs/results/training/$(basename "$out")}
games=${GAMES:-60000} teacher=${TEACHER:-1988:engine} person=${PERSON:-2500:fide}
population=$root/match/populations/teachers.toml finishers=$root/match/populations/finishers.toml
late=''
[ "${MIDDLE:-0}-${ENDINGS:-0}-${MATES:-0}" = 0-0-0 ] || late=" MIDDLE=${MIDDLE:-0} ENDINGS=${ENDINGS:-0} MATES=${MATES:-0}"
mkdir -p "$out" "$results"
settled settings "STORE=$store NET=$before GAMES=$games PER_BAND=${PER_BAND:-10000} MINUTES=${MINUTES:-110} TRAIN=${TRAIN:-}$late"

# positions STEP GAMES STORE OPTION…: half as many openings or positions out of STORE, for games from both sides
positions() {
  [ "$2" -gt 0 ] || return 0
  step_name=$1 number=$2 from=$3 && shift 3
  once "$step_name-$number" "$root/bin/data" openings "$from" --lines "$((number / 2))" "$@"
}
# teach STEP GAMES FOLDER OPENINGS POPULATION: games of the teachers
teach() {
  [ "$2" -gt 0 ] || return 0
  once "$1-$2" "$root/bin/match" generate "$5" --openings "$4" --games "$2" --out "$out/$3" --no-page
  taught="$taught $3"
}
taught=
once people "$root/bin/data" filter "$store" --max-per-band "${PER_BAND:-10000}" --out "$out/people"
# first those that not every Stockfish can play
teach games-queen "${MATES:-0}" queen endgame:KQvK "$finishers"
teach games-rook "${MATES:-0}" rook endgame:KRvK "$finishers"
positions openings-endings "${ENDINGS:-0}" "$store" --men 3-12 --out "$out/endings.epd"
teach games-endings "${ENDINGS:-0}" endings "$out/endings.epd" "$finishers"
positions openings "$games" "$store" --out "$out/openings.txt"
teach games "$games" games "$out/openings.txt" "$population"
positions openings-middle "${MIDDLE:-0}" "$out/people" --men 13-30 --out "$out/middle.epd"
teach games-middle "${MIDDLE:-0}" middle "$out/middle.epd" "$population"
set --
for name in $taught; do set -- "$@" "$out/$name/games.pgn"; done
once teachers "$root/bin/data" ingest "$@" --out "$out/teachers"
once both "$root/bin/data" merge "$out/people" "$out/teachers" --out "$out/both"

# shellcheck disable=SC2086 # options are words
once train "$root/bin/train" "$out/both" --out "$out/run" --init "$before" --minutes "${MINUTES:-110}" \
  ${TRAIN:---set optimizer.matrix_lr=0.004 --set optimizer.adam_lr=0.005}
once export "$root/bin/export" "$out/run" --out "$out/new.onnx" --name new --store "$out/people"
old=$before
if [ -d "$before" ]; then
  once export-old "$root/bin/export" "$before" --out "$out/old.onnx" --name old --store "$out/people"
  old=$out/old.onnx
fi

player() { # player NAME NET RATING:SCALE
  printf '[[player]]\nname = "%s"\nnet = %s\nrating = %s\nscale = "%s"\ntemperature = 0.001\n\n' \
    "$1" "$(toml_text "$2")" "${3%:*}" "${3#*:}"
}
{
  player "new, $teacher T=0.001" "$out/new.onnx" "$teacher"
  player "new, $person T=0.001" "$out/new.onnx" "$person"
  player "old, $person T=0.001" "$old" "$person"
} >"$out/players.toml"
once "match-${MATCH_GAMES:-200}" "$root/bin/match" robin "$out/players.toml" stockfish:0 stockfish:1 stockfish:2 stockfish:3 \
  --games "${MATCH_GAMES:-200}" --out "$out/match" --no-page
cp "$out/match/table.txt" "$results/match.txt"

once evaluation sh -c '"$1" "$2" "$3" >"$4"' sh "$root/bin/evaluate" "$out/run" "$store" "$out/evaluation.txt"
cp "$out/evaluation.txt" "$results/new.txt"
if [ -d "$before" ]; then
  once evaluation-old sh -c '"$1" "$2" "$3" >"$4"' sh "$root/bin/evaluate" "$before" "$store" "$out/evaluation-old.txt"
  cp "$out/evaluation-old.txt" "$results/old.txt"
fi
grep '"validation"' "$out/run/metrics.jsonl" >"$results/validation.jsonl"
(cd "$out" && "$root/bin/data" inspect teachers) >"$results/teachers.txt" # no path of this machine in it
