#!/usr/bin/env bash
# Item 1 of docs/gpu_runs.md, about 9 minutes: what a step is spent on, pictures a second, and the
# GPU's busy share.
source "$(dirname "$0")/common.sh"
hmr bench --batches --seconds 1 --device cuda --gpu-batch 128 --out "$OUT/bench.json"
for workers in 6 10 14; do
  watched "speed-$workers" hmr train gpu --name "speed-$workers" --out "$OUT" --minutes 1.5 \
    --images 100000000 --workers "$workers" --test-images 0
  tail -n 1 "$OUT/speed-$workers/metrics.jsonl"
  rm -f "$OUT/speed-$workers"/{checkpoint.pt,model.safetensors}
done
