"""The renderer."""

from __future__ import annotations

import time

from bench.harness import Row, Unavailable, benchmark


@benchmark("render 640x480 RGB-D + instances, one core")
def render() -> Row:
    """Images a second with noise and ground truth, as recordings are made."""
    try:
        import numpy as np

        from spatial_vlm_ros.simulation import robot
        from spatial_vlm_ros.simulation.filming import Camera, Set
        from spatial_vlm_ros.simulation.record import build
        from spatial_vlm_ros.simulation.seen import exposed_surfels
    except ImportError as error:
        raise Unavailable(f"the simulation needs {error.name}") from error
    world, drive = build(seed=0, rooms=2)
    mesh = world.mesh()
    surfels = exposed_surfels(mesh, len(world.objects), np.random.default_rng(0))
    camera = Camera(Set(mesh, world.room_lights(), surfels, robot.camera(640, 480), seed=0))
    times = np.linspace(0.0, drive.duration, 12)
    poses = [robot.camera_pose(robot.base_pose(*pose)) for pose in drive.pose(times)]
    camera.shoot(0, poses[0])
    start = time.perf_counter()
    for number, pose in enumerate(poses):
        camera.shoot(number, pose)
    rate = len(poses) / (time.perf_counter() - start)
    return Row(rate, "1/s", higher_is_better=True, bound=1.0)
