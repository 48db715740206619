#!/bin/sh
# Prints the name of the sourced ROS distribution if it can run our nodes, else nothing.
[ -n "${ROS_DISTRO:-}" ] || exit 0
IFS=:
for prefix in ${AMENT_PREFIX_PATH:-}; do
  if [ -e "$prefix/share/ament_index/resource_index/packages/rclpy" ]; then
    echo "$ROS_DISTRO"
    exit 0
  fi
done
