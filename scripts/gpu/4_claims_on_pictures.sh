#!/usr/bin/env bash
# Item 4 of docs/gpu_runs.md, in commands of ten minutes; call it until it prints all three tables.
source "$(dirname "$0")/common.sh"
mkdir -p "$OUT/results"
watched claims timeout "${SECONDS_EACH:-570}" python3 -m hmr_edu.cli experiment mesh-pictures \
  adversary-pictures steps-pictures --images "${IMAGES:-200000}" --resume --out "$OUT/results"
