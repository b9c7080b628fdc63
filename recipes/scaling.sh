#!/bin/sh
# How do loss and strength grow with the size of a net and with what it reads?
#
#   recipes/scaling.sh STORE [OUT]     STORE: people's games
#
#   WIDTHS="128 192 320"  of nets of four blocks      STEPS="150 300 600"   of 8,192 plies, each a run of its own
#   GAMES=40              a net and opponent          RATING=2500 SCALE=fide  that the nets are conditioned on
#   AT_ONCE=2             runs side by side, a thread each
#   RESULTS               where the result files go (default: docs/results/training)
#
# Some 45 minutes on two fast cores. It may be stopped at any time: the same command resumes it.
set -eu
root=$(CDPATH= cd -- "$(dirname -- "$0")/.." && pwd)
. "$root/recipes/steps.sh"
. "$root/bin/environment.sh"
store=$(CDPATH= cd -- "${1:?expected a store of games of people, made by bin/data}" && pwd)
out=${2:-$root/runs/scaling}
nets= widths=${WIDTHS:-128 192 320} steps=${STEPS:-150 300 600} games=${GAMES:-40}
results=${RESULTS:-$root/docs/results/training}
prepare export
mkdir -p "$out" "$results"
out=$(CDPATH= cd -- "$out" && pwd)

settled settings "STORE=$store WIDTHS=$widths STEPS=$steps RATING=${RATING:-2500} SCALE=${SCALE:-fide}"

# shellcheck disable=SC2086 # widths and steps are words
fit() { (cd "$root" && "$python" -m benchmarks.scaling "$store" --runs "$out/runs" --widths $widths --steps $steps "$@"); }
once train fit --at-once "${AT_ONCE:-2}" --out "$out/losses.txt"
for width in $widths; do for step in $steps; do nets="$nets $width-$step"; done; done
for net in $nets; do
  once "export-$net" "$root/bin/export" "$out/runs/$net-seed1" --out "$out/$net.onnx" --name "$net" --store "$store"
done
for net in $nets; do
  printf '[[player]]\nname = "%s T=0.001"\nnet = %s\nrating = %s\nscale = "%s"\ntemperature = 0.001\n\n' \
    "$net" "$(toml_text "$out/$net.onnx")" "${RATING:-2500}" "${SCALE:-fide}"
done >"$out/players.toml"
once "match-$games" "$root/bin/match" robin "$out/players.toml" stockfish:0 "$root/match/populations/ladder-down.toml" random \
  --games "$games" --out "$out/match" --no-page
"$root/bin/match" curve "$out/match" --json "$out/ratings.json" >"$out/ratings.txt"
fit --ratings "$out/ratings.json" --json "$out/scaling.json" --out "$out/scaling.txt"
cp "$out/scaling.txt" "$out/scaling.json" "$results/"
cp "$out/match/table.txt" "$results/scaling-games.txt"
