#!/bin/sh
# The paper's experiment on people: nets that read only games below a rating cap, and what temperature makes of them.
#
#   recipes/lichess-caps.sh GAMES [OUT]     a PGN (.pgn, .zst, …) or folder of PGN, or a token store made by bin/data
#
#   recipes/lichess-caps.sh lichess_db_standard_rated_2023-01.pgn.zst
#   CAPS="1000 1500" MINUTES=300 recipes/lichess-caps.sh data/all
#
# It may be stopped at any time: the same command resumes it. For each of CAPS (1000 1300 1500): the games in which both players are
# rated and none is above the cap, a net that is not told ratings, its matches by the paper's protocol (Stockfish levels 1, 3, 5
# with 0.1 s a move, from the start position, a draw after 89 moves) and by ours (book, levels by depth and rungs below level
# 0, no move limit). Result files go to docs/results/transcendence/OUT's name/cap-CAP.
#
#   MINUTES       of training a cap (45)          PRESET, TRAIN   bin/train's preset (laptop), and more options for it
#   PAPER_GAMES   a temperature and level (100)   OUR_GAMES       a temperature and opponent (40); 0 paper games: ours alone
#   MATCH         more options for the matches    RESULTS         where the result files go
#
# One cap's matches by the paper's protocol take some two hours of a core, nearly all of it Stockfish's 0.1 s.
set -eu
root=$(CDPATH= cd -- "$(dirname -- "$0")/.." && pwd)
. "$root/recipes/steps.sh"
games=${1:?expected games: a PGN, a folder of PGN, or a token store}
out=${2:-$root/runs/transcendence/human}
name=$(basename "$out")
preset=${PRESET:-laptop} minutes=${MINUTES:-45} paper_games=${PAPER_GAMES:-100}
results=${RESULTS:-$root/docs/results/transcendence}/$name

. "$root/bin/environment.sh"
prepare report # bin/data alone installs nothing that draws a figure
store=$games
if [ ! -e "$games/store.json" ]; then
  store=$out/store
  once store "$root/bin/data" ingest "$games" --out "$store" --no-bots
fi
mkdir -p "$results"
once diversity sh -c '"$1" diversity "$2" --figure "$3.png" >"$3.txt"' sh "$root/bin/data" "$store" "$out/diversity"
cp "$out/diversity.txt" "$out/diversity.png" "$results/"

for cap in ${CAPS:-1000 1300 1500}; do
  work=$out/cap-$cap
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
  # shellcheck disable=SC2086
  [ "$paper_games" -eq 0 ] ||
    once "cap-$cap-paper-$paper_games" "$root/bin/match" sweep --net "$work/net.onnx" --levels 1 3 5 --clock 100 --builtin \
      --openings start --most-moves 89 --games "$paper_games" --out "$work/paper" --no-page ${MATCH:-}
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
done
