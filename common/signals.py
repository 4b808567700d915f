"""SIGTERM and SIGINT, from the first instant of a process.

Each `__main__` calls `install()` before it imports anything else, so that from then on a signal
never ends the process with a traceback or by the kernel's default. Two phases:

- until `take_over()`: nothing has been started yet, so a signal ends the process at once with
  status 0;
- from `take_over()` on: a signal sets a flag and wakes the event loop through a socket; the daemon
  (`common.daemon`) reads the flag and stops in order.

The handler itself takes no lock, logs nothing and touches no metric: it may run between any two
byte codes, also while this very thread holds such a lock.

This module imports only small parts of the standard library, since until it has run a signal is
not handled.
"""

import os
import signal
import socket
from types import FrameType


class _State:
    taken_over = False
    requested = False
    sockets: "tuple[socket.socket, socket.socket] | None" = None


def install() -> None:
    """Handle SIGTERM and SIGINT from now on. Calling it twice does no harm."""
    signal.signal(signal.SIGTERM, _handle)
    signal.signal(signal.SIGINT, _handle)


def take_over() -> socket.socket:
    """From now on signals set `requested()` and make the returned socket readable.

    Call it before the first piece of work is started, from the main thread. The socket carries one
    byte per signal; it is non-blocking.
    """
    if _State.sockets is None:
        receiver, sender = socket.socketpair()
        receiver.setblocking(False)
        sender.setblocking(False)
        # Python writes to this descriptor inside the C-level handler, so the loop wakes at once,
        # whichever thread the kernel chose for the signal.
        signal.set_wakeup_fd(sender.fileno(), warn_on_full_buffer=False)
        _State.sockets = (receiver, sender)
    # From the next byte code on a signal is the daemon's business.
    _State.taken_over = True
    return _State.sockets[0]


def requested() -> bool:
    """True once a signal asked this process to stop."""
    return _State.requested


def _handle(number: int, frame: FrameType | None) -> None:
    if not _State.taken_over:
        os._exit(0)
    _State.requested = True
