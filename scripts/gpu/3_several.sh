#!/usr/bin/env bash
# Item 4 of docs/development/gpu_runs.md, about 3 minutes for each number of GPUs: the rate of
# GPUS (2) compared with one.
source "$(dirname "$0")/common.sh"
for processes in 1 "${GPUS:-2}"; do
  watched "processes-$processes" hmr train gpu --name "processes-$processes" --out "$OUT" \
    --minutes 2 --images 100000000 --processes "$processes" --test-images 0
  tail -n 1 "$OUT/processes-$processes/metrics.jsonl"
done
