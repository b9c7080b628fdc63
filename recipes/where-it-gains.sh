#!/bin/sh
# What low temperature changes in a net that recipes/transcendence.sh has made: the paper's analyses, with figures.
#
#   recipes/where-it-gains.sh OUT [ARM]     OUT as given to recipes/transcendence.sh (e.g. runs/transcendence/noisy); ARM: net
#
#   STATES=500   one a game of the match with the best expert     LIMIT=depth=10   of Stockfish, for all moves of a state
#
# Some ten minutes of two cores. Result files go beside the verdict's.
set -eu
root=$(CDPATH= cd -- "$(dirname -- "$0")/.." && pwd)
out=$(CDPATH= cd -- "${1:?expected the folder of an experiment, such as runs/transcendence/noisy}" && pwd)
arm=${2:-net}
work=$out/$arm
results=${RESULTS:-$root/docs/results/transcendence}/$(basename "$out")/$arm
. "$root/bin/environment.sh"
prepare train
prepare report # the map's figure
mkdir -p "$results"
"$root/bin/match" advantage "$work/match" --net "$work/net.onnx" --states "${STATES:-500}" --limit "${LIMIT:-depth=10}" \
  --out "$results"
"$root/bin/match" boards --net "$work/net.onnx" --out "$results/boards"
cd "$root"
"$python" -m training.evaluation.latent "$work/run" "$out/store" --points "$results/latent.tsv" --figure "$results/latent.png" |
  tee "$results/latent.txt"
