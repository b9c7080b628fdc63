#!/bin/sh
# Can a net beat every player that it learned from? From nothing to a verdict, on one machine.
#
#   recipes/transcendence.sh POPULATION [OUT]     noisy, specialists, skills, herd, noisy-herd, levels, or a population file of your own
#
#   GAMES=60000 MINUTES=45 recipes/transcendence.sh noisy         the first verdict: some three hours on two cores
#   ARM=blind recipes/transcendence.sh noisy                      the same games, a net that sees moves only
#   GAMES=200000 MINUTES=300 recipes/transcendence.sh noisy runs/transcendence/noisy-200k
#
# It may be stopped at any time: the same command resumes it. OUT (default: runs/transcendence/POPULATION) holds all of it; what the
# report needs goes to docs/results/transcendence/, under OUT's name; then: python -m docs.build.transcendence.
#
#   ARM           net (sees the board) or blind       PRESET, TRAIN   bin/train's preset, and more options for it
#   SEED          2, 3 …: one more training on the same games; its files stand beside the first's, under ARM-seed-SEED
#   GAMES         of the experts, to learn from       MINUTES         of training
#   ROBIN_GAMES   a pairing, to rate the experts      SWEEP_GAMES     a temperature and expert
#   MATCH_GAMES   net against the best expert         MATCH           more options for the net's matches (--device cuda)
#   CLIMB="2 3 4" Stockfish levels that the net meets as well       RESULTS         where the result files go
#   VOTE=PLAYER   what a perfect vote would play, which the net meets as well: stockfish@depth=1 for noisy, specialists and
#                 skills, match/populations/herd-0.toml for herd and noisy-herd; VOTE_GAMES (default 300)
#
# Training games begin with four random plies, so that nothing but the experts' own moves can be learnt from them; the matches
# begin from match/play/book.txt, which the net has never seen.
set -eu
root=$(CDPATH= cd -- "$(dirname -- "$0")/.." && pwd)
. "$root/recipes/steps.sh"
case ${1:?expected a population: noisy, specialists, skills, herd, noisy-herd, levels or a file} in
*.toml) population=$1 ;;
*) population=$root/match/populations/$1.toml ;;
esac
[ -f "$population" ] || { echo "expected a population at $population" >&2 && exit 2; }
out=${2:-$root/runs/transcendence/$(basename "$population" .toml)}
name=$(basename "$out")
arm=${ARM:-net} preset=${PRESET:-laptop} games=${GAMES:-60000} minutes=${MINUTES:-45}
results=${RESULTS:-$root/docs/results/transcendence}/$name
case $arm in
net) board= ;;
blind) board="--board-input none" ;;
*) echo "expected ARM=net or ARM=blind, got $arm" >&2 && exit 2 ;;
esac
[ -z "${SEED:-}" ] || arm=$arm-seed-$SEED
work=$out/$arm
mkdir -p "$work" "$results/$arm"

settled games "POPULATION=$(basename "$population") $(cksum <"$population") GAMES=$games"
settled "$arm" "PRESET=$preset MINUTES=$minutes TRAIN=${TRAIN:-}"

once games "$root/bin/match" generate "$population" --games "$games" --openings random:4 --out "$out/games" --no-page
once store "$root/bin/data" ingest "$out/games/games.pgn" --out "$out/store"

# Stockfish's level 0 and the rungs below it tie the experts to Stockfish's scale. A match is resumed by itself and can be made
# longer, so its mark holds its length.
robin=${ROBIN_GAMES:-100}
once "experts-$robin" "$root/bin/match" robin "$population" stockfish:0 "$root/match/populations/ladder-down.toml" \
  --games "$robin" --out "$out/experts" --no-page
[ -s "$out/best" ] || "$root/bin/match" best "$out/experts" --among "$population" >"$out/best"
best=$(cat "$out/best")
echo "$name: the best expert is $best" >&2

# shellcheck disable=SC2086 # options are words
once "$arm-train" "$root/bin/train" "$out/store" --out "$work/run" --preset "$preset" --minutes "$minutes" $board ${SEED:+--seed "$SEED"} ${TRAIN:-}
once "$arm-export" "$root/bin/export" "$work/run" --out "$work/net.onnx" --name "$arm" --store "$out/store"
once "$arm-evaluation" "$root/bin/evaluate" "$work/run" "$out/store" --out "$work/evaluation.json"

sweep=${SWEEP_GAMES:-40} match=${MATCH_GAMES:-1000}
# shellcheck disable=SC2086
once "$arm-match-$match" "$root/bin/match" versus "net:$work/net.onnx@0.001" "$population:$best" --games "$match" \
  --out "$work/match" --no-page ${MATCH:-}
# The same by the net's votes alone: as the engine plays, it avoids repetitions when it stands better, which is no vote.
# shellcheck disable=SC2086
once "$arm-votes-$match" "$root/bin/match" versus "net:$work/net.onnx@0.001" "$population:$best" --games "$match" --may-repeat \
  --out "$work/votes" --no-page ${MATCH:-}
# shellcheck disable=SC2086
once "$arm-sweep-$sweep" "$root/bin/match" sweep --net "$work/net.onnx" --levels --builtin --opponent "$population" \
  --games "$sweep" --out "$work/sweep" --no-page ${MATCH:-}

if [ -n "${CLIMB:-}" ]; then
  settled "$arm-climb" "CLIMB=$CLIMB"
  # shellcheck disable=SC2086
  once "$arm-climb-${CLIMB_GAMES:-200}" "$root/bin/match" play --net "$work/net.onnx" --levels $CLIMB --builtin --games "${CLIMB_GAMES:-200}" \
    --out "$work/climb" --no-page ${MATCH:-}
  cp "$work/climb/table.txt" "$results/$arm/climb.txt"
fi

if [ -n "${VOTE:-}" ]; then
  settled "$arm-vote" "VOTE=$VOTE"
  # shellcheck disable=SC2086
  once "$arm-vote-${VOTE_GAMES:-300}" "$root/bin/match" versus "net:$work/net.onnx@0.001" "$VOTE" --games "${VOTE_GAMES:-300}" --out "$work/vote" --no-page \
    ${MATCH:-}
  tail -n 2 "$work/vote/table.txt" >"$results/$arm/base.txt"
fi

seconds=$(trained_seconds "$work/run")
judge() { # judge MATCH RESULTS [--pool FOLDER …]: the verdict of a match and its games, for the report
  folder=$1 there=$2 made=$1-verdict
  shift 2
  rm -rf "$made"
  mkdir -p "$made" "$there"
  "$root/bin/match" verdict "$folder" --pack "$made/results.jsonl.zst" "$@" --json "$made/verdict.json" \
    --note population="$(basename "$population")" --note games="$games" --note minutes="$minutes" --note preset="$preset" \
    --note options="$board${SEED:+ --seed $SEED}${TRAIN:+ $TRAIN}" --note training_seconds="$seconds" \
    --note date="$(date +%Y-%m-%d)" --note commit="$(git -C "$root" rev-parse --short HEAD)" \
    --note machine="$(nproc) x $(sed -n 's/^model name[^:]*: //p' /proc/cpuinfo 2>/dev/null | head -n 1)" >"$made/verdict.txt"
  cat "$made/verdict.txt"
  cp "$folder/table.txt" "$made/match.txt"
  cp "$made"/* "$there/" # once all is there: what an earlier run left is replaced whole
}
judge "$work/match" "$results/$arm" --pool "$work/sweep" --pool "$out/experts"
judge "$work/votes" "$results/$arm-votes"

cp "$population" "$results/population.toml"
cp "$out/experts/table.txt" "$results/experts.txt"
(cd "$out" && "$root/bin/data" inspect store) >"$results/store.txt" # no path of this machine in it
cp "$work/evaluation.json" "$results/$arm/"
cp "$work/sweep/table.txt" "$results/$arm/sweep.txt"
grep '"validation"' "$work/run/metrics.jsonl" >"$results/$arm/validation.jsonl"
