#!/bin/sh
# A folder with the engine, its net and its own Python, for machines without one: dist/transcendence/transcendence[.exe].
#
#   recipes/standalone.sh         needs Python 3.11 or newer; leaves dist/transcendence and tries it from another folder
#
# Windows: the same commands in Git Bash, or by hand as docs/guis.md says. What is built on one system runs on that system only.
set -eu
root=$(CDPATH= cd -- "$(dirname -- "$0")/.." && pwd)
venv=$root/.venv-standalone
cd "$root"
[ -d "$venv" ] || python3 -m venv "$venv"
python=$venv/bin/python
[ -x "$python" ] || python=$venv/Scripts/python.exe
"$python" -m pip install --quiet pyinstaller chess numpy onnxruntime
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
printf 'import sys\nfrom engine.__main__ import main\nsys.exit(main())\n' >"$work/transcendence.py"
# UPX and debug symbols off: virus scanners distrust packed programs. The engine imports its heavy parts late, so they are named.
"$python" -m PyInstaller --noconfirm --log-level WARN --onedir --console --noupx --name transcendence --paths "$root" \
  --hidden-import engine.uci.player --hidden-import engine.check --hidden-import engine.inference.evaluator --hidden-import engine.net \
  --exclude-module tkinter --exclude-module PIL --exclude-module sympy \
  --add-data "$root/models/transcendence.onnx:engine/models" \
  --distpath "$root/dist" --workpath "$work/build" --specpath "$work" "$work/transcendence.py"
cp LICENSE dist/transcendence/
cd "$work"
printf 'uci\nposition startpos moves e2e4\ngo movetime 100\n' | "$root/dist/transcendence/transcendence" >answer.txt
grep '^bestmove' answer.txt
du -sh "$root/dist/transcendence"
