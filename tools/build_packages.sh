#!/usr/bin/env bash
# Build packages with colcon into $VENV.  VENV=... tools/build_packages.sh interfaces|nodes
set -euo pipefail
. tools/env.sh
build=$VENV/ros
mkdir -p "$build"

build_packages() {
  local output=$build/colcon.txt
  colcon --log-base "$build/log" build --merge-install --install-base "$VENV" \
    --build-base "$build/build" "$@" > "$output" 2>&1 || { cat "$output" >&2; exit 1; }
  grep --extended-regexp '^(Finished|Summary)' "$output"
}

provided() { # does the sourced distribution have this package?
  local prefix
  while read -r -d : prefix; do
    [ "$prefix" != "$VENV" ] && [ -e "$prefix/share/$1/package.xml" ] && return 0
  done <<< "$AMENT_PREFIX_PATH:"
  return 1
}

case $1 in
interfaces)
  for tool in cmake c++; do
    command -v "$tool" > /dev/null || { echo "$tool is missing: install it first" >&2; exit 1; }
  done
  packages=(spatial_vlm_msgs)
  provided vision_msgs || packages+=(standins/vision_msgs)
  if ! provided tf2_msgs; then
    python tools/write_tf2_msgs.py "$build/src/tf2_msgs"
    packages+=("$build/src/tf2_msgs")
  fi
  build_packages --base-paths "${packages[@]}" --cmake-args -G Ninja -DBUILD_TESTING=OFF \
    -DPython3_EXECUTABLE="$VENV/bin/python"
  ;;
nodes)
  # Symbolic links: edits of code, launch and configuration files take effect at once. Those to
  # files that are no longer there would stop the build.
  find "$build" -xtype l -delete
  build_packages --base-paths . --packages-select spatial_vlm_ros --symlink-install
  ln -sf ../lib/spatial_vlm_ros/spatial-vlm "$VENV/bin/spatial-vlm"
  echo "$build/build/spatial_vlm_ros" \
    > "$(python -c 'import sysconfig; print(sysconfig.get_path("purelib"))')/spatial_vlm_ros.pth"
  ;;
esac
