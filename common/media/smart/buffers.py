"""Memory for segments: some megabytes, taken and given back for each of them."""

from functools import cache

import numpy as np

_BLOCK_BYTES = 16 << 20


@cache
def keep_freed_memory() -> None:
    """Let the C library keep freed memory of a few segments for those that come next.

    glibc gives large blocks back to the kernel, which has to clear the same pages again for the
    next segments: that alone is a sixth of what copying takes. Once a block with a mapping of its
    own has been freed, blocks of up to its size come from the heap, of which only what exceeds
    twice that size is given back (mallopt(3), M_MMAP_THRESHOLD). Other C libraries do as they like.
    """
    np.empty(_BLOCK_BYTES, np.uint8)
