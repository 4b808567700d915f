"""Memory that a cut takes for each segment."""

import subprocess
import sys

_FAULTS_OF_TEN_SEGMENTS = """
import resource
from common.media.smart.buffers import keep_freed_memory

keep_freed_memory()

def cut_segment():
    read = bytearray(1_600_000)
    return len(b"".join([read, read[:800_000]]))

def faults():
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt

cut_segment()
before = faults()
for _ in range(10):
    cut_segment()
print(faults() - before)
"""


def test_segments_use_the_memory_of_those_before_them() -> None:
    # A process of its own: what the C library keeps depends on all that was freed before.
    command = [sys.executable, "-c", _FAULTS_OF_TEN_SEGMENTS]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert int(done.stdout) < 100  # pages; the ten segments fill ten thousand
