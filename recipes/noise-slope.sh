#!/bin/sh
# Where does transcendence begin and end? Eight experts with the same share p of random moves, for several p, each with a net.
#
#   recipes/noise-slope.sh [P…]     percent, default 5 20 40 60; environment as for recipes/transcendence.sh
#
#   TAG=-60k        behind the name of each run, where there are several of one share
#
# Leaves docs/results/transcendence/noise-P, from which python -m docs.build.transcendence draws the slope.
set -eu
root=$(CDPATH= cd -- "$(dirname -- "$0")/.." && pwd)
folder=$root/runs/transcendence/populations
mkdir -p "$folder"
for p in ${*:-5 20 40 60}; do
  {
    echo "# Eight experts alike: Stockfish at depth 1, and in $p % of its moves any legal one. Made by recipes/noise-slope.sh."
    printf '[defaults]\nengine = "stockfish"\nlimit = "depth=1"\nweakness = [{ error = "random", probability = %s }]\n' \
      "$(printf '%d.%02d' $((p / 100)) $((p % 100)))"
    for letter in a b c d e f g h; do printf '\n[[player]]\nname = "noise %s%% %s"\n' "$p" "$letter"; done
  } >"$folder/noise-$p.toml"
  "$root/recipes/transcendence.sh" "$folder/noise-$p.toml" "$root/runs/transcendence/noise-$p${TAG:-}"
done
