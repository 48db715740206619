"""Write the tf2_msgs interface package from the definitions that ``rosbags`` carries.

Only the messages that travel on /tf and /tf_static; no ROS wheel provides them.
Usage: write_tf2_msgs.py FOLDER
"""

from __future__ import annotations

import sys
from pathlib import Path

from rosbags.typesys import Stores, get_typestore

NAMES = ("TF2Error", "TFMessage")

CMAKE = """\
cmake_minimum_required(VERSION 3.20)
project(tf2_msgs)
find_package(ament_cmake REQUIRED)
find_package(rosidl_default_generators REQUIRED)
find_package(geometry_msgs REQUIRED)
rosidl_generate_interfaces(${{PROJECT_NAME}}
  {files}
  DEPENDENCIES geometry_msgs)
ament_export_dependencies(rosidl_default_runtime)
ament_package()
"""

PACKAGE = """\
<?xml version="1.0"?>
<package format="3">
  <name>tf2_msgs</name>
  <version>0.36.0</version>
  <description>Messages of tf2, for a machine without a ROS distribution.</description>
  <maintainer email="maintainers@spatial-vlm-ros.org">spatial_vlm_ros maintainers</maintainer>
  <license>BSD-3-Clause</license>
  <buildtool_depend>ament_cmake</buildtool_depend>
  <buildtool_depend>rosidl_default_generators</buildtool_depend>
  <depend>geometry_msgs</depend>
  <exec_depend>rosidl_default_runtime</exec_depend>
  <member_of_group>rosidl_interface_packages</member_of_group>
  <export><build_type>ament_cmake</build_type></export>
</package>
"""


def write(folder: Path) -> None:
    """Fill ``folder`` with package.xml, CMakeLists.txt and msg/."""
    store = get_typestore(Stores.ROS2_JAZZY)
    (folder / "msg").mkdir(parents=True, exist_ok=True)
    for name in NAMES:
        definition, _ = store.generate_msgdef(f"tf2_msgs/msg/{name}", ros_version=2)
        (folder / "msg" / f"{name}.msg").write_text(definition.split("=" * 80)[0])
    files = "\n  ".join(f'"msg/{name}.msg"' for name in NAMES)
    (folder / "CMakeLists.txt").write_text(CMAKE.format(files=files))
    (folder / "package.xml").write_text(PACKAGE)


if __name__ == "__main__":
    write(Path(sys.argv[1]))
