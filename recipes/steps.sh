# Sourced by recipes, never run: steps that are done once, so that a recipe can be resumed where it was stopped.
#
#   once STEP COMMAND…    needs $out, the recipe's folder; leaves the seconds that the step took in $out/done/STEP
#   settled NAME VALUE…   keeps what the results in $out depend on; fails where they were begun with something else
#   trained_seconds RUN   prints the seconds that RUN was trained, all attempts together

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

settled() {
  settings=$out/done/$1.settings
  shift
  mkdir -p "$out/done"
  if [ ! -e "$settings" ]; then
    printf '%s\n' "$*" >"$settings.partial" && mv "$settings.partial" "$settings"
  elif [ "$(cat "$settings")" != "$*" ]; then
    printf '%s\n' "$out was begun with: $(cat "$settings")" "and now it is:       $*" \
      "give the same settings to resume it, or another OUT" >&2
    exit 2
  fi
}

trained_seconds() {
  [ -s "$1/metrics.jsonl" ] || return 1
  sed -n 's/.*"minutes": \([0-9.]*\).*/\1/p' "$1/metrics.jsonl" | tail -n 1 | awk '{ printf "%.0f\n", 60 * $1 }'
}

toml_text() { printf '"%s"' "$(printf '%s' "$1" | sed 's/["\\]/\\&/g')"; }
