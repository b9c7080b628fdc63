#!/bin/sh
# Fifteen minutes of a borrowed GPU: games go to another machine in parts, a net is trained there, and its weights come back.
#
#   here    recipes/gpu-short.sh pack STORE         leaves runs/gpu-short/carry/part-K, one folder a trip
#   there   recipes/gpu-short.sh receive K          takes the part that travelled to the scratch folder
#   there   recipes/gpu-short.sh train [MINUTES]    on all parts received (9 minutes); what travels back lies in $OUT
#   there   recipes/gpu-short.sh rest               on a second trip: 8 more bits of every weight, in $OUT
#   here    recipes/gpu-short.sh collect FOLDER [RUN]   once for each trip; RUN (runs/gpu-short/run) is a run's folder then
#   here    recipes/gpu-short.sh rehearse STORE     all of that on this machine with a tiny net, in some minutes
#
# There, python3 has torch, numpy, safetensors and tqdm, and nothing is installed: bin/ would make an environment, so it is not
# used. What travels is the tree with one part's folder, within TRIP_MIB; back come at most 8 files of 15 MiB. Each step may be
# repeated.
#
#   PRESET=gpu-10min    PART_MIB=40    PARTS=3 (0 = all)    TRIP_MIB=64    WORK=runs/gpu-short (here)
#   LIMIT_S=590    seconds that `train` may take in all    PYTHON=python3    TMPDIR=/tmp (there: TMPDIR/gpu-short)
set -eu
root=$(CDPATH= cd -- "$(dirname -- "$0")/.." && pwd)
preset=${PRESET:-gpu-10min}
work=${WORK:-$root/runs/gpu-short}
scratch=${TMPDIR:-/tmp}/gpu-short
trip_mib=${TRIP_MIB:-64}

fail() {
  echo "gpu-short: $*" >&2
  exit 2
}

here() { # the environment of this checkout
  . "$root/bin/environment.sh"
  prepare export
}

there() { # whatever Python there is, with this tree and the packages that came along
  python=${PYTHON:-python3}
  export PYTHONPATH="$root:$scratch/site" PYTHONUNBUFFERED=1
  cd "$root"
}

summed() { awk '{ sum += $1 } END { print sum }'; }

pack_parts() { # STORE
  [ -e "$1/store.json" ] || fail "expected a token store, got ${1}; make one with bin/data"
  here
  "$python" -P -m training.run.pieces check "$preset"
  rm -rf "$work/parts" "$work/carry"
  "$root/bin/data" pack "$1" --out "$work/parts" --part-mib "${PART_MIB:-40}" --parts "${PARTS:-3}"
  chess=$("$python" -P -c 'import chess, os; print(os.path.dirname(chess.__file__))')
  tree=$(cd "$root" && git ls-files -z --cached --others --exclude-standard | xargs -0 du -sk | summed)
  for part in "$work/parts"/*.games; do
    folder=$work/carry/$(basename "$part" .games)
    mkdir -p "$folder/site/chess"
    mv "$part" "$folder/"
    cp "$chess"/*.py "$folder/site/chess/"
    size=$(du -sk "$folder" | summed)
    echo "$folder: $((size / 1024)) MiB, with the tracked tree $(((size + tree) / 1024)) MiB"
    [ $((size + tree)) -le $((trip_mib * 1024)) ] ||
      fail "that is more than a trip takes ($trip_mib MiB); give a smaller PART_MIB"
  done
}

receive_part() { # K
  there
  folder=$work/carry/part-$1
  if [ ! -e "$folder/part-$1.games" ]; then
    [ -e "$scratch/stores/part-$1/store.json" ] || fail "expected a part at ${folder}, found none; did it travel?"
    echo "part $1 is here already"
    return
  fi
  mkdir -p "$scratch/site" "$scratch/stores"
  cp -R "$folder/site/." "$scratch/site/"
  rm -rf "$scratch/stores/part-$1"
  "$python" -m training.data unpack "$folder/part-$1.games" --out "$scratch/stores/part-$1"
  rm -rf "$folder"
}

# One store of all parts. Sets $store.
gather_parts() {
  set -- "$scratch"/stores/part-*/
  [ -e "$1/store.json" ] || fail "expected parts in $scratch/stores, found none; receive one first"
  store=$scratch/stores/all-$#
  [ $# -gt 1 ] || store=${1%/}
  [ -e "$store/store.json" ] || "$python" -m training.data merge "$@" --out "$store"
}

# The newest checkpoint to $OUT, and what it took.
hand_over() {
  "$python" -m training.run.pieces split "$scratch/run" "$OUT" >"$scratch/split.txt" || return 1
  {
    nvidia-smi --query-gpu=name,driver_version,memory.used,utilization.gpu,clocks.sm --format=csv,noheader 2>/dev/null ||
      echo "no GPU"
    "$python" -m training.run.pieces speed "$scratch/run" || true
    tr '\r' '\n' <"$scratch/train.txt" | tail -n 100
  } >"$OUT/log.txt" 2>&1
}

now() { date +%s; }

stop() {
  [ "$stopped" ] || kill -TERM $trainer 2>/dev/null || true
  stopped=yes
}

# train_for MINUTES OPTION…: a run that is asked to stop at the deadline, once, for a second time would cut its saving short, and
# killed a little later. Checkpoints are handed over as they come.
train_for() {
  minutes=$1 && shift
  "$python" -m training.train "$store" --preset "$preset" --out "$scratch/run" --minutes "$minutes" "$@" \
    >>"$scratch/train.txt" 2>&1 &
  trainer=$!
  trap stop TERM INT
  : >"$scratch/handed"
  while kill -0 $trainer 2>/dev/null; do
    sleep 2 &
    wait $! || true
    [ "$(now)" -lt $deadline ] || stop
    [ "$(now)" -lt $((deadline + 10)) ] || kill -KILL $trainer 2>/dev/null || true
    if [ "$scratch/run/model.safetensors" -nt "$scratch/handed" ]; then
      : >"$scratch/handed"
      hand_over || true
    fi
  done
  status=0
  wait $trainer || status=$?
  trap - TERM INT
}

train() { # [MINUTES]
  : "${OUT:?expected the folder that travels back in OUT}"
  began=$(now)
  deadline=$((began + ${LIMIT_S:-590} - 25)) # what comes behind it: one step, a checkpoint, the pieces
  stopped=
  there
  mkdir -p "$OUT" "$scratch"
  "$python" -m training.run.pieces check "$preset"
  gather_parts
  # Beside its minutes a run starts, validates and saves.
  minutes=$(awk -v asked="${1:-9}" -v left=$((deadline - $(now) - 40)) 'BEGIN { m = left / 60; print (asked < m) ? asked : m }')
  echo "training for $minutes minutes on $store"
  rm -rf "$scratch/run"
  : >"$scratch/train.txt"
  train_for "$minutes"
  if [ ! -e "$scratch/run/model.safetensors" ] && [ ! "$stopped" ] && [ $((deadline - $(now))) -gt 120 ]; then
    echo "it ended with $status and left nothing; again in small passes, without torch.compile" | tee -a "$scratch/train.txt"
    rm -rf "$scratch/run"
    train_for $(((deadline - $(now) - 40) / 60)) --set run.compile=off --set data.micro_plies=8192
  fi
  if ! hand_over; then
    cp "$scratch/train.txt" "$OUT/log.txt"
    tail -n 20 "$scratch/train.txt" >&2
    fail "the training left no checkpoint (it ended with $status); its last lines are above, all of them in $OUT/log.txt"
  fi
  cat "$scratch/split.txt" && head -n 2 "$OUT/log.txt"
}

give_rest() {
  : "${OUT:?expected the folder that travels back in OUT}"
  there
  "$python" -m training.run.pieces split "$scratch/run" "$OUT" --rest
}

collect() { # FOLDER [RUN]
  here
  run=${2:-$work/run}
  "$python" -P -m training.run.pieces join "$1" "$run"
  if [ -e "$1/log.txt" ]; then cp "$1/log.txt" "$run/gpu-short.txt" && head -n 2 "$run/gpu-short.txt"; fi
}

# The other machine is a copy of the tree with a scratch folder of its own; Python is this one's, with what travelled before it.
rehearse() { # STORE
  here
  stage=$work/rehearsal
  rm -rf "$stage"
  mkdir -p "$stage/there" "$stage/tmp"
  PRESET=${PRESET:-smoke} PARTS=2 PART_MIB=${PART_MIB:-0.5} WORK=$stage "$0" pack "$1"
  (cd "$root" && git ls-files -z --cached --others --exclude-standard | tar --null -T - -cf -) | tar -xf - -C "$stage/there"
  for k in 1 2; do
    [ -d "$stage/carry/part-$k" ] || continue
    mkdir -p "$stage/there/runs/gpu-short/carry"
    cp -R "$stage/carry/part-$k" "$stage/there/runs/gpu-short/carry/"
    over_there receive $k
  done
  over_there train "${MINUTES:-0.5}"
  WORK=$stage "$0" collect "$stage/out"
  mkdir "$stage/second" && mv "$stage/out" "$stage/first"
  over_there rest
  WORK=$stage "$0" collect "$stage/out"
  "$root/bin/export" "$stage/run" --out "$stage/rehearsed.onnx" --games "${GAMES:-2}"
  echo "rehearsed: $(head -n 2 "$stage/run/gpu-short.txt" | tail -n 1); $stage/rehearsed.onnx"
}

over_there() {
  env -u WORK PRESET="${PRESET:-smoke}" PYTHON="$python" TMPDIR="$stage/tmp" OUT="$stage/out" \
    "$stage/there/recipes/gpu-short.sh" "$@"
}

case ${1:-} in
pack) pack_parts "${2:?expected a token store}" ;;
receive) receive_part "${2:?expected the number of a part}" ;;
train) train "${2:-9}" ;;
rest) give_rest ;;
collect) collect "${2:?expected the folder that came back}" "${3:-$work/run}" ;;
rehearse) rehearse "${2:?expected a token store}" ;;
*) sed -n '2,/^set -eu/{/^set -eu/d;s/^# \{0,1\}//;p;}' "$0" >&2 && exit 2 ;;
esac
