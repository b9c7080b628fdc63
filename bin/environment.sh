# Sourced by launchers and recipes, never run. Finds the Python of the virtual environment that a command needs; where something
# is missing in it, bin/bootstrap.py installs it.
#
#   root      the checkout, found from the launcher's own place, whatever the working directory
#   prepare   prepare FEATURE: install the package with that extra into the environment unless it is there
#   python    the environment's Python after prepare; to be started with -I, so that it runs no module that lies about
#
# The environment is $root/.venv, or the folder that TRANSCENDENCE_VENV names. In it, ready-FEATURE is as new as the feature's
# installation, `checkout` holds the path that the installed package points to, and runtime-gpu is there where ONNX Runtime was
# chosen with an NVIDIA driver present.
#
# All output goes to stderr: the engine's stdout belongs to UCI.

self=$(readlink -f "$0" 2>/dev/null || echo "$0")
root=$(CDPATH= cd -- "$(dirname -- "$self")/.." && pwd -P)
venv=${TRANSCENDENCE_VENV:-$root/.venv}
venv=${venv%/}
case $venv in /*) ;; *) venv=$PWD/$venv ;; esac
python=$venv/bin/python

prepare() {
  isolate
  ready=$venv/ready-${1:-engine}
  is_ready || install_feature "${1:-engine}" </dev/null >&2 || exit 1
}

# Starts no process: a prepared engine must answer `uci` at once. The link bin/python dangles where the base Python is gone.
is_ready() {
  installed_from=
  { IFS= read -r installed_from <"$venv/checkout"; } 2>/dev/null
  [ "$installed_from" = "$root" ] && [ -x "$python" ] && [ "$ready" -nt "$root/pyproject.toml" ] &&
    { [ -e "$venv/runtime-gpu" ] || [ ! -e /proc/driver/nvidia/version ]; } # a GPU that has come since needs another runtime
}

install_feature() {
  base=$(find_python) || exit 1
  "$base" -I "$root/bin/bootstrap.py" "$1" --venv "$venv" || [ $? -eq 10 ] # an earlier installation has to do
}

# A Python that can make an environment: without ensurepip, which Debian packs with python3-venv, it would get no pip. Where
# there is none, the environment's own may still be able to install.
find_python() {
  keep "$PATH" is_no_bundle
  PATH=$kept
  for candidate in python3 python3.14 python3.13 python3.12 python3.11 python "$python"; do
    needs='ensurepip, venv, '
    [ "$candidate" != "$python" ] || needs=
    if "$candidate" -I -c "import ${needs}sys; sys.exit(sys.version_info < (3, 11))" 2>/dev/null; then
      command -v "$candidate"
      return
    fi
  done
  printf 'transcendence: %s\n' "expected Python 3.11 or newer with venv on the PATH, found none. \
Install it (Debian: apt install python3 python3-venv) and try again." >&2
  return 1
}

# Isolation -------------------------------------------------------------------------------------------------------
#
# A GUI that is packed with its own libraries, as an AppImage is, starts us with variables that were meant for its own programs.
# They would give Python another home, other modules and other libraries.

isolate() {
  [ -z "${LD_LIBRARY_PATH:-}" ] || { keep "$LD_LIBRARY_PATH" may_be_loaded_from && LD_LIBRARY_PATH=$kept; }
  [ "${LD_LIBRARY_PATH:-}" ] || unset LD_LIBRARY_PATH
  [ -z "${APPDIR:-}${APPIMAGE:-}${SNAP:-}${_MEIPASS2:-}${_PYI_APPLICATION_HOME_DIR:-}${PYTHONHOME:-}" ] || unset LD_PRELOAD LD_AUDIT
  unset PYTHONHOME PYTHONPATH PYTHONSTARTUP PYTHONUSERBASE PYTHONEXECUTABLE PYTHONPLATLIBDIR PYTHONCASEOK PYTHONINSPECT \
    PYTHONOPTIMIZE PYTHONWARNINGS PYTHONBREAKPOINT __PYVENV_LAUNCHER__
}

# keep LIST TEST: those entries of a list with colons for which TEST holds, as $kept.
keep() {
  kept= rest=$1:
  while [ "$rest" ]; do
    entry=${rest%%:*}
    rest=${rest#*:}
    if "$2" "$entry"; then kept=${kept:+$kept:}$entry; fi
  done
}

is_no_bundle() {
  case $1 in */.mount_*/* | */_MEI*) return 1 ;; esac
  for bundle in "${APPDIR:-}" "${SNAP:-}" "${_MEIPASS2:-}" "${_PYI_APPLICATION_HOME_DIR:-}"; do
    case $1/ in "${bundle:-none}"/*) return 1 ;; esac
  done
}

# Not from a bundle, nor from the working folder, nor from a folder with another copy of what Python itself is linked to; what
# belongs to the system or to our Python is its own copy. A GPU's libraries are often found by this variable alone.
may_be_loaded_from() {
  is_no_bundle "$1" || return 1
  base_bin=/nowhere
  { while IFS=' =' read -r name value; do [ "$name" != home ] || base_bin=$value; done <"$venv/pyvenv.cfg"; } 2>/dev/null
  case $1/ in
  /lib/* | /lib64/* | /usr/lib/* | /usr/lib64/* | /nix/store/* | /gnu/store/* | "${base_bin%/bin}"/*) return 0 ;;
  /?*) ;;
  *) return 1 ;;
  esac
  for library in c m dl pthread rt util stdc++ gcc_s 'python3*' ssl crypto z lzma bz2 ffi expat sqlite3; do
    for copy in "$1"/lib$library.so*; do
      [ ! -e "$copy" ] || return 1
    done
  done
}
