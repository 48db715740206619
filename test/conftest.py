"""What all tests share."""

import os

from hypothesis import settings

# On a busy machine torch's threads wait for each other: small tensors take 20 times as long. It is
# read when torch is imported, here and in the processes that tests start.
os.environ.setdefault("OMP_NUM_THREADS", "1")

# Nor does a slow machine make a property false.
settings.register_profile("unhurried", settings.default, deadline=None)
settings.load_profile("unhurried")
