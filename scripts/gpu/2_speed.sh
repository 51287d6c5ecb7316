#!/usr/bin/env bash
# Item 3 of docs/development/gpu_runs.md, about 9 minutes: what a step is spent on, then pictures
# per second and the GPU's busy share for batches of 128, 256 and 512 pictures.
source "$(dirname "$0")/common.sh"
hmr bench --batches --seconds 1 --device cuda --gpu-batch 128 --out "$OUT/bench.json"
for pictures in 128 256 512; do
  watched "speed-$pictures" hmr train gpu --name "speed-$pictures" --out "$OUT" --minutes 1.5 \
    --images 100000000 --threads 2 --data.batch-size "$pictures" --sample-every 100000000 \
    --checkpoint-every 100000000 --test-images 0
  tail -n 1 "$OUT/speed-$pictures/metrics.jsonl"
  rm -f "$OUT/speed-$pictures"/{checkpoint.pt,model.safetensors}
done
