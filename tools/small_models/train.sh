#!/usr/bin/env bash
# Trains small models from nothing but seeds: rooms, rows, proxies, then stage after stage.
# Needs `make setup`, then about five hours on two cores; what is there already is not made again.
#   ROOMS=224       simulated rooms to learn from
#   FIRST=10000     seed of the first of them
#   WORKERS=2       processes that render
#   FOLDER=path     where all of it goes
#   PLACES=500      steps in which SSR's 3D branch learns to tell places
#   SET="..."       settings of every training, e.g. training.steps=1
set -euo pipefail
recipe=$(cd "$(dirname "$0")" && pwd)
first=${FIRST:-10000}
rooms=$first:$((first + ${ROOMS:-224}))
folder=${FOLDER:-build/small_models}
mkdir -p "$folder"
cd "$folder"

vlm() { python -m spatial_vlm_ros.cli "$@"; }
train() { # stage after stage; one that was broken off goes on
  local stage change changes=()
  for change in ${SET:-}; do changes+=(--set "$change"); done
  for stage in "$@"; do
    [ -e "trained/$stage/report.json" ] && continue
    vlm train "$recipe/$stage.yaml" "${changes[@]}" $([ ! -e "trained/$stage" ] || echo --resume)
  done
}

[ -e start/proxy3d ] || vlm small model proxy3d start/proxy3d
vlm precompute proxies stores/proxies --checkpoint start/proxy3d --simulated "$rooms" \
  --device cpu --workers "${WORKERS:-2}"
for kind in identifiers coordinates relations vsi grounding local_maps captions; do
  vlm data generate "rows/$kind" --scenes stores/proxies/scenes.jsonl --kinds $kind --most 14
done
train proxy3d_stage1 proxy3d_stage2 proxy3d_stage3a proxy3d_stage3b proxy3d_stage3c
train proxy3d_stage4a proxy3d_stage4b proxy3d_stage4c proxy3d_stage4d proxy3d_blind

[ -e start/ssr ] || vlm small model ssr start/ssr --language trained/proxy3d_stage3c/model
vlm precompute frames stores/frames --checkpoint start/ssr --simulated "$rooms" \
  --device cpu --workers "${WORKERS:-2}"
train ssr_stage1a ssr_stage1b
[ -e start/ssr_3d ] || vlm small places start/ssr_3d --checkpoint trained/ssr_stage1b/model \
  --like trained/proxy3d_stage3c/model --frames stores/frames --steps "${PLACES:-500}"
train ssr_stage2a ssr_stage2b ssr_blind

mkdir -p weights # in the layout of spatial_vlm_ros/weights, but for the cards
cp -rT trained/proxy3d_stage4d/model weights/proxy3d-small
cp -rT trained/ssr_stage2b/model weights/ssr-small
cp -rT trained/ssr_stage1b/model weights/ssr-small-2d
