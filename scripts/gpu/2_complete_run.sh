#!/usr/bin/env bash
# Item 2 of docs/gpu_runs.md: the complete run, in commands of ten minutes; call it until it says
# "shipped". MINUTES (25) is the length of the run, POSES ("prior bent") what it learns from, START
# weights to go on from, where a machine is to be had for less than the whole run: a shipped file
# is 29 MB, a checkpoint ten times as much.
source "$(dirname "$0")/common.sh"
poses=${POSES:-prior bent}
# shellcheck disable=SC2086 # several names
watched gpu timeout "${SECONDS_EACH:-570}" python3 -m hmr_edu.cli train gpu --resume --out "$OUT" \
  --minutes "${MINUTES:-25}" --images 100000000 --threads 2 --checkpoint-every 1000000 --sample-every 1000000 \
  --poses $poses ${START:+--start "$START"}
if [ -f "$OUT/gpu/evaluation.json" ]; then
  hmr ship "$OUT/gpu" resnet50 --out "$OUT/weights"
  # In pieces, where files that come back may not be large: cat resnet50.part* > resnet50.tar
  tar -C "$OUT" -cf - weights | split -b 15M - "$OUT/resnet50.part"
  echo "shipped: $OUT/weights, and in pieces"
fi
