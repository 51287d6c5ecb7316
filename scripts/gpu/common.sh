# Sourced by the other scripts: the folder, missing packages, and a record of how busy the GPU is.
# OUT (runs/gpu): where results go. SECONDS_EACH: a run can be cut into pieces of so many seconds;
# call the script again and it goes on. Without it a run ends when it is done.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."
export OUT="${OUT:-runs/gpu}" PYTHONUNBUFFERED=1
mkdir -p "$OUT"
# Packages for an installation without a network lie in wheels/ (`pip download` fetches them).
if compgen -G "wheels/*.whl" > /dev/null; then
  python3 -m pip install --quiet --no-index --no-deps --find-links wheels wheels/*.whl
fi

hmr() { python3 -m hmr_edu.cli "$@"; }

# --resume for a run's folder where that run was begun; nothing on the first call.
resume_if_begun() { if [ -e "$1/config.json" ] || [ -e "$1/checkpoint.pt" ]; then echo --resume; fi; }

# The same, stopped after SECONDS_EACH seconds where that is set.
hmr_in_pieces() { ${SECONDS_EACH:+timeout "$SECONDS_EACH"} python3 -m hmr_edu.cli "$@"; }

# watched NAME COMMAND...: run it, and say what share of the time the GPU computed. Its failure is
# passed on, unless `timeout` stopped it (124): what was done by then is kept.
watched() {
  local name=$1 watcher status=0
  shift
  nvidia-smi --query-gpu=utilization.gpu,memory.used --format=csv,noheader,nounits -l 1 \
    > "$OUT/$name-busy.csv" &
  watcher=$!
  "$@" || status=$?
  kill "$watcher" || true
  # The median leaves out the start, when nothing is computed yet.
  awk -F, '$1 > 0 {print $1 + 0, $2 + 0}' "$OUT/$name-busy.csv" | sort -n | awk -v name="$name" \
    '{busy[NR] = $1; if ($2 > most) most = $2}
    END {if (NR) printf "%s: GPU busy %d %% of the time (median), at most %d MiB\n", name, busy[int((NR + 1) / 2)], most}'
  if [ "$status" -eq 124 ]; then
    echo "$name was stopped after $SECONDS_EACH seconds; call the script again to go on"
  elif [ "$status" -ne 0 ]; then
    echo "$name failed with status $status" >&2
    return "$status"
  fi
}
