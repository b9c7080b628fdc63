# Sourced by the launchers, never run. Makes the virtual environment that a command needs, once, and finds its Python.
#
#   root      the checkout, found from the launcher's own place, whatever the working directory
#   prepare   prepare FEATURE: install the package with that extra into $root/.venv unless it is there
#   python    the environment's Python after prepare
#
# All output goes to stderr: the engine's stdout belongs to UCI.

self=$(readlink -f "$0" 2>/dev/null || echo "$0")
root=$(CDPATH= cd -- "$(dirname -- "$self")/.." && pwd)
venv=${TRANSCENDENCE_VENV:-$root/.venv}
python=$venv/bin/python

say() { printf 'transcendence: %s\n' "$*" >&2; }

find_python() {
  for candidate in python3 python3.14 python3.13 python3.12 python3.11 python; do
    if "$candidate" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then
      printf '%s\n' "$candidate"
      return
    fi
  done
  say "expected Python 3.11 or newer on the PATH, found none. Install it (Debian: apt install python3 python3-venv) and try again."
  exit 1
}

install_feature() {
  say "first use: preparing $venv for '$1' (a few minutes at most)"
  [ -x "$python" ] || "$(find_python)" -m venv "$venv" >&2 || exit 1
  case $1 in
  train | export | test)
    # The tested release, installed first and by itself: pip then keeps it whatever the extra allows. It is the CPU build
    # where pip is set up to find one, which spares several GB.
    "$python" -c 'import torch' 2>/dev/null || "$python" -m pip install --quiet "torch==2.13.0" >&2 || exit 1
    ;;
  esac
  "$python" -m pip install --quiet --disable-pip-version-check -e "$root${1:+[$1]}" >&2 || {
    say "the installation failed; see the lines above. Remove $venv to begin again."
    exit 1
  }
  touch "$venv/ready-${1:-engine}"
  say "ready"
}

# One process installs, others wait: a tournament manager starts several engines at once.
prepare() {
  ready=$venv/ready-${1:-engine}
  [ "$ready" -nt "$root/pyproject.toml" ] && return
  lock=$root/.venv-lock
  until mkdir "$lock" 2>/dev/null; do
    if ! kill -0 "$(cat "$lock/pid" 2>/dev/null || echo $$)" 2>/dev/null; then
      rm -rf "$lock" # whoever held it is gone
    else
      sleep 1
    fi
  done
  echo $$ >"$lock/pid"
  trap 'rm -rf "$lock"' EXIT INT TERM
  [ "$ready" -nt "$root/pyproject.toml" ] || install_feature "$1"
  rm -rf "$lock"
  trap - EXIT INT TERM
}
