"""The ROS 2 nodes: thin, over the ROS-free core."""
