#!/usr/bin/env bash
# Item 5 of docs/development/gpu_runs.md: three tables, printed when all trainings are done.
# IMAGES (200000): pictures of each training.
source "$(dirname "$0")/common.sh"
mkdir -p "$OUT/results"
watched claims hmr_in_pieces experiment mesh-pictures adversary-pictures steps-pictures \
  --images "${IMAGES:-200000}" --resume --out "$OUT/results"
