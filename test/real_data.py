"""Where recordings and annotations of the real world are, on machines that have them."""

from __future__ import annotations

import os
from pathlib import Path

DATA = Path(os.environ.get("SPATIAL_VLM_DATA", Path(__file__).parents[2] / "shared" / "data"))
