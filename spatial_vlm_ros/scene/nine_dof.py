"""From the 9-DoF boxes of data sets to 7-DoF boxes in the first camera's frame (SSR section 3.3).

Three steps: sizes are taken over, the origin goes to the first camera's centre, and the axes to
that camera's heading on the ground and straight up.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.spatial.transform import Rotation

from spatial_vlm_ros.scene.box import Box
from spatial_vlm_ros.scene_frame import inverse, scene_frame

Array = NDArray[np.float64]

#: Numbers as a data set's files give them; checked here.
Numbers = Any

#: Radians by which a box may lean and keep its own sizes. Set upright at 10 degrees it is 1.5 % too
#: high (1 - cos), where an upright box round it is higher by 17 % of its length (sin): too much for
#: what stands on a floor and is annotated askew. Of 854 boxes of ARKitScenes 106 lean, 3 by more.
LEANING = np.radians(10.0)

#: How far published rotations may be from orthonormal: they are rounded to four digits or more.
_ROUNDED = 1e-3


@dataclass(frozen=True, eq=False)
class OrientedBox:
    """A box of any orientation in a data set's world frame, metres.

    ``center`` (3,); ``size`` (3,): whole lengths along the box's own axes; ``rotation`` (3, 3):
    its columns are those axes in the world. ``ValueError`` says what of it makes no box.
    """

    center: Array
    size: Array
    rotation: Array

    def __post_init__(self) -> None:
        object.__setattr__(self, "center", _numbers("the centre", self.center, (3,)))
        object.__setattr__(self, "size", _numbers("the size", self.size, (3,)))
        object.__setattr__(self, "rotation", _rotation("the rotation of the box", self.rotation))
        if self.size.min() < 0:
            raise ValueError(f"a box cannot have a negative size: {self.size.tolist()}")

    @classmethod
    def from_euler_zxy(cls, values: Numbers) -> OrientedBox:
        """EmbodiedScan, MMScan: x y z, sizes along own x y z, and Euler angles Z X Y in radians.

        The rotation is Rz(a) Rx(b) Ry(c), applied to column vectors: EmbodiedScan (fe26e4b) calls
        ``euler_angles_to_matrix(angles, "ZXY")`` of PyTorch3D in ``structures/bbox_3d/utils.py``,
        and ``get_rotation_matrix_from_zxy`` of Open3D to draw, and they agree. The world is the
        axis-aligned one: a camera is at ``axis_align_matrix @ cam2global``.
        """
        numbers = _numbers("an Euler box (x, y, z, three sizes, three angles)", values, (9,))
        matrix = Rotation.from_euler("ZXY", numbers[6:]).as_matrix()
        return cls(numbers[:3], numbers[3:6], matrix)

    @classmethod
    def from_bounds(cls, low: Numbers, high: Numbers) -> OrientedBox:
        """ScanRefer: the least and the greatest x y z, in the axis-aligned scan.

        The camera must be given in that scan as well, with ``axis_align_matrix`` applied.
        """
        least, greatest = _numbers("the minimum", low, (3,)), _numbers("the maximum", high, (3,))
        if (greatest < least).any():
            raise ValueError(f"the maximum {greatest} lies below the minimum {least}")
        return cls((least + greatest) / 2, greatest - least, np.eye(3))

    @classmethod
    def from_heading(cls, center: Numbers, size: Numbers, heading: Numbers) -> OrientedBox:
        """VLA-3D: ``object_bbox_c[xyz]``, ``_[xyz]length`` and ``_heading``, about z, radians.

        The x length lies along (cos, sin) of the heading: VLA-3D (a0c023c), ``bbox_utils.py``.
        """
        (angle,) = _numbers("the heading", [heading], (1,))
        return cls(center, size, Rotation.from_euler("z", angle).as_matrix())

    @classmethod
    def from_axes(
        cls, centroid: Numbers, axes_lengths: Numbers, normalized_axes: Numbers
    ) -> OrientedBox:
        """VLM-3R, ARKitScenes: ``centroid``, ``axesLengths`` and the nine of ``normalizedAxes``.

        Each three of the nine are one axis: VLM-3R (6dd1264) writes ``R.T.flatten()`` in
        ``scannetv2_utils.py`` and reads ``reshape(3, 3).T`` wherever it builds a box; so does
        ARKitScenes (42a27f7) in ``box_utils.py``. Boxes of ScanNet are there the least of any tilt.
        """
        rows = np.reshape(_numbers("normalizedAxes", np.ravel(normalized_axes), (9,)), (3, 3))
        return cls(centroid, axes_lengths, rows.T)

    def corners(self) -> Array:
        """(8, 3) in the world frame."""
        signs = np.stack(np.meshgrid(*[[-0.5, 0.5]] * 3, indexing="ij"), axis=-1).reshape(8, 3)
        return np.asarray(self.center + (signs * self.size) @ self.rotation.T)


def in_first_frame(box: OrientedBox, T_world_camera: Numbers, up: str = "z") -> Box:
    """The canonical upright :class:`Box` in the scene frame that a first camera fixes.

    ``T_world_camera`` (4, 4) is the pose of that camera's optical frame (x right, y down, z
    forward) in the frame of the box, whose ``up`` axis points up ("x", "y", "z", or with a minus).
    A box that leans by no more than ``LEANING`` keeps its sizes: the axis nearest to the vertical
    gives the height, whichever of its own it is. Any other becomes the least upright box round it.
    """
    if up not in ("x", "y", "z", "-x", "-y", "-z"):
        raise ValueError(f"up is x, y or z, or one of them with a minus, not {up!r}")
    T_scene_world = inverse(scene_frame(_pose(T_world_camera), up))
    axes_scene = T_scene_world[:3, :3] @ box.rotation
    center_scene = T_scene_world[:3, :3] @ box.center + T_scene_world[:3, 3]
    vertical = int(np.abs(axes_scene[2]).argmax())
    stands = abs(axes_scene[2, vertical]) >= np.cos(LEANING)
    if stands:
        size, yaw = _upright(axes_scene, box.size, vertical)
    else:
        size, yaw = _enclosing(axes_scene, box.size)
    return Box.from_tuple([*center_scene, *size, yaw]).canonical()


def _upright(axes_scene: Array, size: Array, vertical: int) -> tuple[Array, float]:
    """Length, width, height (3,) and yaw of a box with its axis ``vertical`` set upright."""
    order = [(vertical + 1) % 3, (vertical + 2) % 3, vertical]  # cyclic: stays right-handed
    axes = axes_scene[:, order]
    if axes[2, 2] < 0:
        axes = axes * [1, -1, -1]  # a box reaches equally far both ways
    # What is left of the rotation when the shortest turn has set the axis upright.
    return size[order], float(np.arctan2(axes[1, 0] - axes[0, 1], axes[0, 0] + axes[1, 1]))


def _enclosing(axes_scene: Array, size: Array) -> tuple[Array, float]:
    """Length, width, height (3,) and yaw of the least upright box about the same centre.

    Seen from above, a box has edges along its own axes only, and the least rectangle round a
    convex outline has a side along one of its edges.
    """
    level = axes_scene[:2]
    x = level / np.linalg.norm(level, axis=0)  # no axis is upright here
    y = np.stack([-x[1], x[0]])
    lengths, widths = np.abs(x.T @ level) @ size, np.abs(y.T @ level) @ size
    best = int((lengths * widths).argmin())
    height = np.abs(axes_scene[2]) @ size
    yaw = float(np.arctan2(x[1, best], x[0, best]))
    return np.array([lengths[best], widths[best], height]), yaw


def _numbers(name: str, values: Numbers, shape: tuple[int, ...]) -> Array:
    """``values`` as finite numbers of this shape."""
    try:
        numbers = np.array(values, dtype=float)
    except (TypeError, ValueError, OverflowError):
        raise ValueError(f"{name} must be numbers, not {values!r}") from None
    if numbers.shape != shape:
        raise ValueError(f"{name} must have the shape {shape}, not {numbers.shape}")
    if not np.isfinite(numbers).all():
        raise ValueError(f"{name} is not finite: {numbers.tolist()}")
    return numbers


def _rotation(name: str, values: Numbers) -> Array:
    """The rotation nearest to a (3, 3) matrix that is one but for rounding."""
    matrix = _numbers(name, values, (3, 3))
    if np.abs(matrix.T @ matrix - np.eye(3)).max() > _ROUNDED:
        raise ValueError(f"{name} has axes that are not of length 1 or not at right angles")
    if np.linalg.det(matrix) < 0:
        raise ValueError(f"{name} mirrors (determinant -1): its axes are left-handed")
    left, _, right = np.linalg.svd(matrix)
    return np.asarray(left @ right)


def _pose(values: Numbers) -> Array:
    """A checked copy of a rigid (4, 4) camera pose."""
    pose = _numbers("the camera pose", values, (4, 4))
    if not np.allclose(pose[3], [0, 0, 0, 1]):
        raise ValueError(f"the last row of the camera pose is not 0 0 0 1: {pose[3].tolist()}")
    pose[:3, :3] = _rotation("the rotation of the camera", pose[:3, :3])
    return pose
