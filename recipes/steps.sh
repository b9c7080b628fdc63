# Sourced by recipes, never run: steps that are done once, so that a recipe can be resumed where it was stopped.
#
#   once STEP COMMAND…    needs $out, the recipe's folder; leaves the seconds that the step took in $out/done/STEP

#   toml_text TEXT        prints it as a string of TOML: names may hold quotes and backslashes

# A training that is asked to stop ends well; a recipe must not take that for its end.
trap 'exit 130' INT TERM

once() {
  step=$1 && shift
  mkdir -p "$out/done"
  [ ! -e "$out/done/$step" ] || return 0
  echo "$(basename "$out"): $step" >&2
  began=$(date +%s)
  "$@"
  echo $(($(date +%s) - began)) >"$out/done/$step"
}

toml_text() { printf '"%s"' "$(printf '%s' "$1" | sed 's/["\\]/\\&/g')"; }
