#!/usr/bin/env bash
# Item 1 of docs/gpu_runs.md, about 8 minutes: pictures a second and the GPU's busy share.
source "$(dirname "$0")/common.sh"
for workers in 6 10 14; do
  watched "speed-$workers" hmr train gpu --name "speed-$workers" --out "$OUT" --minutes 1.5 \
    --images 100000000 --workers "$workers" --test-images 0
  tail -n 1 "$OUT/speed-$workers/metrics.jsonl"
  rm -f "$OUT/speed-$workers"/{checkpoint.pt,model.safetensors}
done
