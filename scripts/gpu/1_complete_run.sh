#!/usr/bin/env bash
# Item 2 of docs/development/gpu_runs.md: the complete run, which prints "shipped" when it is done.
# MINUTES (25): its length. POSES ("prior prior bent"): what it learns from. PHOTOS: a folder of
# backgrounds. START: weights to go on from (a shipped file is 29 MB, a checkpoint ten times as
# much). RUNS: a folder for the run and its checkpoints, $OUT unless set. PIECE_SIZE (15M, say):
# also write the weights in pieces of this size, for a transfer that limits the size of a file.
source "$(dirname "$0")/common.sh"
runs=${RUNS:-$OUT} poses=${POSES:-prior prior bent}
# shellcheck disable=SC2086 # several names
watched gpu hmr_in_pieces train gpu $(resume_if_begun "$runs/gpu") --out "$runs" \
  --minutes "${MINUTES:-25}" --images 100000000 --threads 2 --checkpoint-every 1000000 \
  --sample-every 1000000 --poses $poses ${START:+--start "$START"} \
  ${PHOTOS:+--data.appearance.photos "$PHOTOS" --data.appearance.photo-share 0.5}
if [ -f "$runs/gpu/evaluation.json" ]; then
  hmr ship "$runs/gpu" resnet50 --out "$runs/weights"
  # To join the pieces: cat resnet50.part* > resnet50.tar
  [ -z "${PIECE_SIZE:-}" ] ||
    tar -C "$runs" -cf - weights | split -b "$PIECE_SIZE" - "$OUT/resnet50.part"
  echo "shipped: $runs/weights"
fi
