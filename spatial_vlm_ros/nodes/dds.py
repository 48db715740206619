"""Where the Fast DDS profile is that lets images through shared memory."""

from __future__ import annotations

import os
from pathlib import Path

from spatial_vlm_ros.presets import config_folder

VARIABLES = {  # by the package that reads it; each ignores or complains about the other's
    "fastrtps": "FASTRTPS_DEFAULT_PROFILES_FILE",  # up to Jazzy
    "fastdds": "FASTDDS_DEFAULT_PROFILES_FILE",  # Kilted and newer
}


def profile_environment() -> dict[str, str]:
    """Environment variables that make Fast DDS read ``config/fastdds.xml``.

    To be set before a process creates its first node. Empty when the user has set one of them:
    that is a profile of their own. Other middleware ignores them.
    """
    if any(name in os.environ for name in VARIABLES.values()):
        return {}
    installed = [name for package, name in VARIABLES.items() if _is_installed(package)]
    return dict.fromkeys(installed or VARIABLES.values(), str(config_folder() / "fastdds.xml"))


def _is_installed(package: str) -> bool:
    prefixes = os.environ.get("AMENT_PREFIX_PATH", "").split(os.pathsep)
    return any((Path(prefix) / "share" / package).is_dir() for prefix in prefixes if prefix)
