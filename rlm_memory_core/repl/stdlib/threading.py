"""`threading`: threads that run to their end when they are started, one after another; locks that are always free.

Threads run one after another, so a lock never waits. One class serves as both Lock and RLock.
"""


class Thread:
    """A thread whose work is done when `start` returns: one of the orders that threads may take."""

    def __init__(self, group=None, target=None, name=None, args=(), kwargs=None, *, daemon=None):
        self._work = (target, args, kwargs or {})
        self.name, self.daemon = name or "Thread-1", daemon

    def start(self):
        target, args, kwargs = self._work
        try:
            if target is not None:
                target(*args, **kwargs)
        except Exception as error:
            print(f"Exception in thread {self.name}: {type(error).__name__}: {error}")

    def join(self, timeout=None):
        pass

    def is_alive(self):
        return False


class Lock:
    def acquire(self, blocking=True, timeout=-1):
        return True

    def release(self):
        pass

    def __enter__(self):
        return True

    def __exit__(self, kind, error, trace):
        return False


RLock = Lock
