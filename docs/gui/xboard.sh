#!/bin/sh
# A game in a real GUI without a screen: XBoard on Xvfb, both engines through polyglot, as a user's XBoard starts them.
# Leaves xboard-game.pgn and xboard.png (the board some twenty moves in) beside this file.
# Needs: apt install xboard polyglot xvfb imagemagick x11-apps stockfish
set -eu
here=$(CDPATH= cd -- "$(dirname -- "$0")" && pwd)
engine=$(CDPATH= cd -- "$here/../../bin" && pwd)/transcendence
opponent=$(command -v stockfish || echo /usr/games/stockfish)
work=$(mktemp -d)
trap 'kill $(jobs -p) 2>/dev/null || true; rm -rf "$work"' EXIT
cd "$work" # polyglot writes its settings and logs where it runs

Xvfb :97 -screen 0 455x546x24 >/dev/null 2>&1 &
sleep 2
# -fUCI and -sUCI make XBoard start polyglot for the engine; it needs the launcher's path alone.
DISPLAY=:97 PATH=$PATH:/usr/games timeout 900 xboard -size 55 -showEvalInMoveHistory false \
  -fcp "$engine" -fd "$work" -fUCI -scp "$opponent" -sd "$work" -sUCI \
  -firstOptions "Temperature=0.001" -secondOptions "Skill Level=0" \
  -tc 0:40 -inc 0.2 -mg 1 -sgf "$work/game.pgn" -popupExitMessage false -popupMoveErrors false >"$work/xboard.log" 2>&1 &
board=$!
shot=0
while kill -0 "$board" 2>/dev/null; do
  sleep 1
  shot=$((shot + 1))
  if [ "$shot" -eq "${1:-30}" ]; then
    DISPLAY=:97 import -window root -colors 48 "PNG8:$work/xboard.png"
    cp "$work/xboard.png" "$here/xboard.png"
  fi
done
cat "$work/xboard.log" >&2
cp "$work/game.pgn" "$here/xboard-game.pgn"
echo "$here/xboard-game.pgn"
