#!/usr/bin/env bash
# The network of keypoints, for longer than a CPU core can in an hour: POSES_SEEN (40 million) poses
# in about 9 minutes, then the held-out sets (HMR_EDU_MOCAP for `test-mocap`).
# POSES: the sources of poses. Then: hmr-edu ship $OUT/keypoints keypoints
source "$(dirname "$0")/common.sh"
watched keypoints hmr_in_pieces train keypoints $(resume_if_begun "$OUT/keypoints") --name keypoints \
  --device cuda --out "$OUT" --workers 14 --threads 2 --images "${POSES_SEEN:-40000000}" \
  --data.batch-size 4096 --checkpoint-every 2000000 --sample-every 10000000 \
  --poses ${POSES:-prior prior bent upright unusual}
tail -n 1 "$OUT/keypoints/metrics.jsonl"
