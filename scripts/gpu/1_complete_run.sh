#!/usr/bin/env bash
# Item 1 of docs/gpu_runs.md: the complete run, in commands of ten minutes; call it until it says
# "shipped". MINUTES (25): its length. POSES ("prior prior bent"): what it learns from. PHOTOS: a
# folder of backgrounds. Where a machine is to be had for less than the whole run: START, weights to
# go on from (a shipped file is 29 MB, a checkpoint ten times as much), and RUNS, a folder outside
# $OUT for what shall not come back.
source "$(dirname "$0")/common.sh"
runs=${RUNS:-$OUT} poses=${POSES:-prior prior bent}
# shellcheck disable=SC2086 # several names
watched gpu timeout "${SECONDS_EACH:-570}" python3 -m hmr_edu.cli train gpu --resume --out "$runs" \
  --minutes "${MINUTES:-25}" --images 100000000 --threads 2 --checkpoint-every 1000000 \
  --sample-every 1000000 --poses $poses ${START:+--start "$START"} \
  ${PHOTOS:+--data.appearance.photos "$PHOTOS" --data.appearance.photo-share 0.5}
if [ -f "$runs/gpu/evaluation.json" ]; then
  hmr ship "$runs/gpu" resnet50 --out "$runs/weights"
  # In pieces, where files that come back may not be large: cat resnet50.part* > resnet50.tar
  tar -C "$runs" -cf - weights | split -b 15M - "$OUT/resnet50.part"
  echo "shipped: $runs/weights, and in pieces in $OUT"
fi
