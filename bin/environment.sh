# Sourced by launchers and recipes, never run. Makes the virtual environment that a command needs, once, and finds its Python.
#
#   root      the checkout, found from the launcher's own place, whatever the working directory
#   prepare   prepare FEATURE: install the package with that extra into the environment unless it is there
#   python    the environment's Python after prepare
#
# The environment is $root/.venv, or the folder that TRANSCENDENCE_VENV names. In it, ready-FEATURE is as old as the feature's
# installation, and `checkout` holds the path that the installed package points to.
#
# All output goes to stderr: the engine's stdout belongs to UCI.

self=$(readlink -f "$0" 2>/dev/null || echo "$0")
root=$(CDPATH= cd -- "$(dirname -- "$self")/.." && pwd -P)
venv=${TRANSCENDENCE_VENV:-$root/.venv}
venv=${venv%/}
case $venv in /*) ;; *) venv=$PWD/$venv ;; esac
python=$venv/bin/python
lock=$venv-lock

say() { printf 'transcendence: %s\n' "$*" >&2; }

find_python() { # without ensurepip, which Debian packs with python3-venv, an environment would get no pip
  for candidate in python3 python3.14 python3.13 python3.12 python3.11 python; do
    if "$candidate" -c 'import ensurepip, sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then
      printf '%s\n' "$candidate"
      return
    fi
  done
  say "expected Python 3.11 or newer with venv on the PATH, found none. Install it (Debian: apt install python3 python3-venv) and try again."
  exit 1
}

# Starts no process: a prepared engine must answer `uci` at once. The link bin/python dangles where the base Python is gone.
is_ready() {
  installed_from=
  { IFS= read -r installed_from <"$venv/checkout"; } 2>/dev/null
  [ "$installed_from" = "$root" ] && [ -x "$python" ] && [ "$ready" -nt "$root/pyproject.toml" ]
}

# One process installs, others wait: a tournament manager starts several engines at once.
prepare() {
  ready=$venv/ready-${1:-engine}
  is_ready || (install_alone "${1:-}") </dev/null >&2 || exit 1
}

install_alone() {
  take_lock || give_up "cannot write beside $venv ($trouble)." \
    "Make $(dirname -- "$venv") writable, or set TRANSCENDENCE_VENV to a folder that you may write."
  trap 'rm -rf "$lock"' EXIT
  trap 'exit 130' HUP INT TERM
  sh -c 'echo "$PPID"' >"$lock/pid" # of this subshell, which goes on when a GUI loses patience with the launcher
  is_ready || install_feature "$1"
}

take_lock() {
  absent=0 nameless=0 told=
  mkdir -p "$(dirname -- "$venv")" 2>/dev/null
  until trouble=$(mkdir "$lock" 2>&1); do
    owner=$(cat "$lock/pid" 2>/dev/null)
    if [ ! -d "$lock" ]; then
      absent=$((absent + 1)) # freed this moment, or it cannot be made
      [ $absent -lt 3 ] || return 1
      continue
    fi
    absent=0
    if [ "$owner" ]; then nameless=0; else nameless=$((nameless + 1)); fi
    if [ $nameless -gt 10 ] || { [ "$owner" ] && ! kill -0 "$owner" 2>/dev/null; }; then
      trouble=$(rm -rf "$lock" 2>&1) || return 1 # whoever held it is gone
      nameless=0
      continue
    fi
    [ "$told" ] || say "waiting for another installation (process ${owner:-unknown}); where there is none, remove $lock"
    told=yes
    sleep 1
  done
}

install_feature() {
  say "preparing $venv for '${1:-engine}' (a few minutes at most)"
  make_venv
  [ ! -e "$ready" ] || export PIP_RETRIES=1 # something works already: no long wait where there is no network
  case $1 in
  train | export | test)
    # The tested release, installed first and by itself: pip then keeps it whatever the extra allows. It is the CPU build
    # where pip is set up to find one, which spares several GB.
    "$python" -c 'import torch' 2>/dev/null || pip_install "torch==2.13.0"
    ;;
  esac
  pip_install -e "$root${1:+[$1]}"
  printf '%s\n' "$root" >"$venv/checkout" && touch "$ready" || give_up "could not write $ready."
  say "ready"
}

# What has neither a Python that runs nor a pip is a venv that was interrupted or has lost its base. Only what is a venv is
# emptied: TRANSCENDENCE_VENV may name anything.
make_venv() {
  "$python" -m pip --version >/dev/null 2>&1 && return
  "$python" -m ensurepip >/dev/null 2>&1 && return
  base=$(find_python) || exit 1
  clear=
  [ ! -e "$venv/pyvenv.cfg" ] || clear=--clear
  "$base" -m venv $clear "$venv" || {
    say "could not make $venv; see the lines above. Remove it to begin again."
    exit 1
  }
}

pip_install() {
  "$python" -m pip install --quiet --disable-pip-version-check "$@" ||
    give_up "the installation failed; see the lines above." "Remove $venv to begin again."
}

# give_up TROUBLE REMEDY: goes on with an earlier installation of this checkout, where there is one.
give_up() {
  if [ "${installed_from:-$root}" = "$root" ] && [ -x "$python" ] && [ -e "$ready" ]; then
    say "$1 Going on with what was installed earlier, which may lack something new."
    exit 0
  fi
  say "$@"
  exit 1
}
