#!/usr/bin/env bash
# Item 5 of docs/gpu_runs.md, one command of ten minutes: the shipped resnet18, at 128 pixels, goes on
# from START. MINUTES (7.6) of training, then the test sets (HMR_EDU_MOCAP for `test-mocap`).
source "$(dirname "$0")/common.sh"
runs=$(mktemp -d)
# What comes back may be neither large nor many: the weights in pieces, the rest in one archive.
(
  until [ -f "$runs/resnet18/model.safetensors" ]; do sleep 1; done
  split -b 12M "$runs/resnet18/model.safetensors" "$OUT/model.part"
) &
waiting=$!
# A training that fails writes no weights to wait for.
trap 'kill "$waiting" 2> /dev/null || true' EXIT
watched resnet18 timeout "${SECONDS_EACH:-575}" python3 -m hmr_edu.cli train cpu-long --name resnet18 \
  --device cuda --out "$runs" --workers 14 --threads 2 --minutes "${MINUTES:-7.6}" --images 100000000 \
  --checkpoint-every 1000000 --sample-every 500000 --start "${START:-resnet18}" \
  --model.width 64 --model.hidden 512 --data.image-size 128 --data.batch-size 256 \
  --optimizer.learning-rate 2e-2 --poses prior prior bent --data.pitch 14 --data.roll 10 \
  --data.appearance.clutter 0.5 --data.appearance.outfits 256 --data.appearance.heads 96 \
  --data.appearance.scenes 320 --data.appearance.photo-share 0.5 ${PHOTOS:+--data.appearance.photos "$PHOTOS"}
[ ! -f "$runs/resnet18/model.safetensors" ] || wait "$waiting"
tar -C "$runs" --exclude checkpoint.pt --exclude model.safetensors --exclude tensorboard \
  -czf "$OUT/records.tar.gz" resnet18
tail -n 1 "$runs/resnet18/metrics.jsonl"
