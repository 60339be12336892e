"""Lets one caller at a time send a recorded request, among all threads and processes that share a file of calls.

The sender locks one byte of a lock file. The system unlocks the bytes of a process that is killed, and also those of a
process that closes any descriptor of the file: so each process opens it once, and closes it when it holds no lock.
Such locks do not stop other threads of the same process: so the process also remembers which bytes it has locked.
"""

import asyncio
import os
import threading
import time
import warnings
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from functools import cache

try:
    import fcntl
except ImportError:  # Windows: processes do not wait for each other's requests
    fcntl = None  # type: ignore[assignment]

_LOOK = 0.05  # seconds, until the next look whether a key is free
_door = threading.Lock()
_files: dict[str, tuple[int, set[int]]] = {}  # a descriptor and the locked bytes, by the file's path


@asynccontextmanager
async def only_sender(path: str, key: str, patience: float) -> AsyncIterator[None]:
    """Wait until no other caller holds this key, and hold it within the block.

    Args:
        path: The file of locks, without symbolic links; it is made if it does not exist.
        key: A hash in hexadecimal digits.
        patience: Seconds to wait; then go on all the same, because whoever has the key may have been stopped.
    """
    byte, last_look = int(key[:15], 16), time.monotonic() + patience
    while not (is_locked := _lock(path, byte)) and time.monotonic() < last_look:
        await asyncio.sleep(_LOOK)
    try:
        yield
    finally:
        if is_locked:
            _unlock(path, byte)


def _lock(path: str, byte: int) -> bool:
    """Lock a byte, or say that someone else has it. Where a disk has no locks, warn once and go on without."""
    try:
        with _door:
            if path not in _files:
                _files[path] = os.open(path, os.O_RDWR | os.O_CREAT, 0o600), set()
            file, locked = _files[path]
            if byte in locked:
                return False
            if fcntl:
                fcntl.lockf(file, fcntl.LOCK_EX | fcntl.LOCK_NB, 1, byte)
            locked.add(byte)
    except BlockingIOError:
        return False
    except OSError as error:
        warn_once(f"{path} cannot be locked ({error}): other processes may send the same requests once more")
    return True


def _unlock(path: str, byte: int) -> None:
    with _door, suppress(OSError, KeyError):  # it was not locked where the disk has no locks
        file, locked = _files[path]
        locked.remove(byte)
        if fcntl:
            fcntl.lockf(file, fcntl.LOCK_UN, 1, byte)
        if not locked:
            os.close(_files.pop(path)[0])


@cache
def warn_once(message: str) -> None:
    """Warn the user, once for each message."""
    warnings.warn(message, RuntimeWarning, stacklevel=2)
