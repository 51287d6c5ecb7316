#!/usr/bin/env bash
# Weights `resnet18` on people who look and stand like people (preset `people`), going on from START
# (resnet18). MINUTES (7.6) of training with 512 pictures a step at PIXELS (128), then the test sets
# (HMR_EDU_MOCAP for `test-mocap`). PHOTOS: a folder of backgrounds. Then, where they are better:
# hmr-edu ship $OUT/people resnet18
source "$(dirname "$0")/common.sh"
watched people hmr_in_pieces train people $(resume_if_begun "$OUT/people") --name people \
  --device cuda --out "$OUT" --workers 14 --threads 2 --minutes "${MINUTES:-7.6}" --images 100000000 \
  --checkpoint-every 1000000 --sample-every 500000 --start "${START:-resnet18}" \
  --data.image-size "${PIXELS:-128}" --data.batch-size 512 --optimizer.learning-rate 2e-2 \
  --optimizer.schedule cosine --data.appearance.scenes 320 --data.appearance.outfits 256 \
  ${PHOTOS:+--data.appearance.photos "$PHOTOS"}
tail -n 1 "$OUT/people/metrics.jsonl"
