#!/bin/sh
# The paper's experiment on people: nets that read only games below a rating cap, and what temperature makes of them.
#
#   recipes/lichess-caps.sh GAMES [OUT]     a PGN (.pgn, .zst, …) or folder of PGN, or a token store made by bin/data
#
#   recipes/lichess-caps.sh lichess_db_standard_rated_2023-01.pgn.zst
#   CAPS="1000 1500" MINUTES=300 recipes/lichess-caps.sh data/all
#
# It may be stopped at any time: the same command resumes it. For each of CAPS (1000 1300 1500): the games in which both players are
# rated and none is above the cap, a net without ratings as an input, its matches by the paper's protocol (Stockfish levels 1, 3, 5
# with 0.1 s a move, from the start position, a draw after 89 moves) and by ours (book, levels by depth and rungs below level
# 0, no move limit). The best of a cap's players cannot be asked to a match, so a stand-in plays instead: MEMBER, a net trained with
# ratings, conditioned on the cap, at temperature 1, imitates people rated at the cap, but should err more. At the end the nets
# of all caps, at temperatures 0.001 and 1, meet the stand-ins and Stockfish in one pool. Result files go to
# docs/results/transcendence/OUT's name, of each cap to cap-CAP there.
#
#   MINUTES       of training a cap (45), or of each of CAPS ("25 60 60"): few games are soon learnt by heart
#   PRESET, TRAIN bin/train's preset (laptop), and more options for it
#   PAPER_GAMES   a temperature and level (100)   OUR_GAMES       a temperature and opponent (40); 0 paper games: ours alone
#   PAPER_AT      temperatures of these ("0.001 1")
#   MEMBER        the stand-in's net (the one that ships)         MEMBER_GAMES    a cap (1000), with the engine's rule and without
#   POOL_GAMES    a pairing of the pool (40); 0 or a single cap: no pool
#   MATCH         more options for the matches    RESULTS         where the result files go
#
# One temperature's matches by the paper's protocol take some 20 minutes of a core, nearly all of it Stockfish's 0.1 s.
set -eu
root=$(CDPATH= cd -- "$(dirname -- "$0")/.." && pwd)
. "$root/recipes/steps.sh"
games=${1:?expected games: a PGN, a folder of PGN, or a token store}
out=${2:-$root/runs/transcendence/human}
name=$(basename "$out")
preset=${PRESET:-laptop} paper_games=${PAPER_GAMES:-100}
member=${MEMBER:-$root/models/transcendence.onnx} member_games=${MEMBER_GAMES:-1000}
results=${RESULTS:-$root/docs/results/transcendence}/$name
caps=${CAPS:-1000 1300 1500}
# shellcheck disable=SC2086 # numbers are words
set -- $caps
number=$#
# shellcheck disable=SC2086
set -- ${MINUTES:-45}
[ $# -eq 1 ] || [ $# -eq "$number" ] || {
  echo "expected MINUTES of training, one number or one for each of the caps $caps, got $*" >&2
  exit 2
}

. "$root/bin/environment.sh"
prepare report # bin/data alone installs nothing that draws a figure
store=$games
if [ ! -e "$games/store.json" ]; then
  store=$out/store
  once store "$root/bin/data" ingest "$games" --out "$store" --no-bots
fi
mkdir -p "$results"

at_temperature() { # at_temperature CAP TEMPERATURE: a player, the cap's net
  printf '[[player]]\nname = "cap %s T=%s"\nnet = %s\ntemperature = %s\n\n' "$1" "$2" "$(toml_text "$out/cap-$1/net.onnx")" "$2"
}
stand_in() { # stand_in CAP: a player
  printf '[[player]]\nname = "stand-in %s"\nnet = %s\nrating = %s\nscale = "lichess"\ntemperature = 1\n\n' \
    "$1" "$(toml_text "$member")" "$1"
}

once diversity sh -c '"$1" diversity "$2" --figure "$3.png" >"$3.txt"' sh "$root/bin/data" "$store" "$out/diversity"
cp "$out/diversity.txt" "$out/diversity.png" "$results/"

for cap in $caps; do
  work=$out/cap-$cap minutes=$1
  [ $# -eq 1 ] || shift
  settled "cap-$cap" "GAMES=$games PRESET=$preset MINUTES=$minutes TRAIN=${TRAIN:-}"
  mkdir -p "$work" "$results/cap-$cap"
  once "cap-$cap-games" "$root/bin/data" filter "$store" --max-rating "$cap" --out "$work/store"
  # shellcheck disable=SC2086 # options are words
  once "cap-$cap-train" "$root/bin/train" "$work/store" --out "$work/run" --preset "$preset" --minutes "$minutes" \
    --set model.rating_input=false ${TRAIN:-}
  once "cap-$cap-export" "$root/bin/export" "$work/run" --out "$work/net.onnx" --name "cap $cap" --store "$work/store"
  once "cap-$cap-evaluation" "$root/bin/evaluate" "$work/run" "$work/store" --out "$work/evaluation.json"
  # shellcheck disable=SC2086
  once "cap-$cap-ours-${OUR_GAMES:-40}" "$root/bin/match" sweep --net "$work/net.onnx" --levels 0 1 2 --builtin \
    --opponent "$root/match/populations/ladder-down.toml" --opponents-meet --games "${OUR_GAMES:-40}" --out "$work/ours" \
    --no-page ${MATCH:-}
  { at_temperature "$cap" 0.001 && stand_in "$cap"; } >"$work/members.toml"
  settled "cap-$cap-member" "MEMBER=$member"
  for votes in '' --may-repeat; do
    [ "$member_games" -gt 0 ] || continue
    # shellcheck disable=SC2086
    once "cap-$cap-member-$member_games$votes" "$root/bin/match" versus "$work/members.toml:cap $cap T=0.001" \
      "$work/members.toml:stand-in $cap" --games "$member_games" --out "$work/member$votes" --no-page $votes ${MATCH:-}
    judged=$work/member$votes-verdict there=$results/cap-$cap/stand-in${votes:+-votes}
    rm -rf "$judged"
    mkdir -p "$judged" "$there"
    "$root/bin/match" verdict "$work/member$votes" --json "$judged/verdict.json" --pack "$judged/results.jsonl.zst" \
      --note member="$(basename "$member")" --note date="$(date +%Y-%m-%d)" \
      --note commit="$(git -C "$root" rev-parse --short HEAD)" >"$judged/verdict.txt"
    cp "$work/member$votes/table.txt" "$judged/match.txt"
    cp "$judged"/* "$there/"
  done
  at=
  for temperature in ${PAPER_AT:-0.001 1}; do at="$at --temperature $temperature"; done
  # shellcheck disable=SC2086
  [ "$paper_games" -eq 0 ] ||
    once "cap-$cap-paper-$paper_games$at" "$root/bin/match" sweep --net "$work/net.onnx" --levels 1 3 5 --clock 100 --builtin \
      $at --openings start --most-moves 89 --games "$paper_games" --out "$work/paper" --no-page ${MATCH:-}
  (cd "$work" && "$root/bin/data" inspect store) >"$results/cap-$cap/store.txt"
  for protocol in ours paper; do
    [ -d "$work/$protocol" ] || continue
    "$root/bin/match" curve "$work/$protocol" --json "$results/cap-$cap/$protocol.json" --note cap="$cap" \
      --note games="$(sed -n 's/^store: \([0-9,]*\) games.*/\1/p' "$results/cap-$cap/store.txt")" --note minutes="$minutes" \
      --note preset="$preset" --note options="${TRAIN:-}" --note date="$(date +%Y-%m-%d)" \
      --note commit="$(git -C "$root" rev-parse --short HEAD)" >"$results/cap-$cap/$protocol.txt"
    cat "$results/cap-$cap/$protocol.txt"
  done
  cp "$work/evaluation.json" "$results/cap-$cap/"
  grep '"validation"' "$work/run/metrics.jsonl" >"$results/cap-$cap/validation.jsonl"
done

[ "${POOL_GAMES:-40}" -gt 0 ] && [ "$number" -gt 1 ] || exit 0
# shellcheck disable=SC2086
pool=$out/pool$(printf -- '-%s' $caps)
for cap in $caps; do
  at_temperature "$cap" 0.001
  at_temperature "$cap" 1
  stand_in "$cap"
done >"$pool.toml"
# shellcheck disable=SC2086
"$root/bin/match" robin "$pool.toml" stockfish:0 stockfish:1 "$root/match/populations/ladder-down.toml" \
  --games "${POOL_GAMES:-40}" --out "$pool" --no-page ${MATCH:-}
cp "$pool/table.txt" "$results/pool.txt"
