#!/usr/bin/env bash
# Run 6 of the shipped resnet18 (docs/weights.md): 128 pixels, going on from START (resnet18).
# MINUTES (7.6) of training, then the test sets (HMR_EDU_MOCAP for `test-mocap`). PHOTOS: a folder
# of backgrounds. Then: hmr-edu ship $OUT/resnet18 resnet18
source "$(dirname "$0")/common.sh"
watched resnet18 hmr_in_pieces train cpu-long $(resume_if_begun "$OUT/resnet18") --name resnet18 \
  --device cuda --out "$OUT" --workers 14 --threads 2 --minutes "${MINUTES:-7.6}" --images 100000000 \
  --checkpoint-every 1000000 --sample-every 500000 --start "${START:-resnet18}" \
  --model.width 64 --model.hidden 512 --data.image-size 128 --data.batch-size 256 \
  --optimizer.learning-rate 2e-2 --poses prior prior bent --data.pitch 14 --data.roll 10 \
  --data.appearance.clutter 0.5 --data.appearance.outfits 256 --data.appearance.heads 96 \
  --data.appearance.scenes 320 --data.appearance.photo-share 0.5 ${PHOTOS:+--data.appearance.photos "$PHOTOS"}
tail -n 1 "$OUT/resnet18/metrics.jsonl"
