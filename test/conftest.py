"""What all tests share."""

import os

# On a busy machine torch's threads wait for each other: small tensors take 20 times as long. It is
# read when torch is imported, here and in the processes that tests start.
os.environ.setdefault("OMP_NUM_THREADS", "1")
