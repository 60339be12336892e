"""`concurrent.futures`: thread pools whose calls of sub-agents are in flight together.

A function that asks sub-agents waits until a result is needed or the pool closes; then all such calls run together
(`host.later`). Any other function runs at once.
"""

import asyncio

FIRST_COMPLETED, FIRST_EXCEPTION, ALL_COMPLETED = "FIRST_COMPLETED", "FIRST_EXCEPTION", "ALL_COMPLETED"


async def _run(future):
    function, args, kwargs = future.call
    try:
        future.value = await function(*args, **kwargs)
    except Exception as error:
        future.error = error
    future.is_done = True


async def _together(futures):
    await asyncio.gather(*[_run(future) for future in futures])


class Future:
    def __init__(self, pool, call):
        self.pool, self.call = pool, call
        self.value, self.error, self.is_done, self.callbacks = None, None, False, []

    def result(self, timeout=None):
        self.pool.finish()
        if self.error is not None:
            raise self.error
        return self.value

    def exception(self, timeout=None):
        self.pool.finish()
        return self.error

    def done(self):
        self.pool.finish()
        return True

    def running(self):
        return False

    def cancel(self):
        return False

    def cancelled(self):
        return False

    def add_done_callback(self, function):
        if self.is_done:
            function(self)
        else:
            self.callbacks.append(function)


class ThreadPoolExecutor:
    def __init__(self, max_workers=None, thread_name_prefix="", initializer=None, initargs=()):
        if max_workers is not None and max_workers <= 0:
            raise ValueError("max_workers must be greater than 0")
        self._waiting = []

    def submit(self, function, *args, **kwargs):
        return self._submit(_rlm_host.later(function), function, args, kwargs)

    def _submit(self, twin, function, args, kwargs):
        future = Future(self, (twin, args, kwargs))
        if twin is not None:
            self._waiting.append(future)
            return future
        try:
            future.value = function(*args, **kwargs)
        except Exception as error:
            future.error = error
        future.is_done = True
        return future

    def map(self, function, *iterables, timeout=None, chunksize=1):
        twin = _rlm_host.later(function)
        futures = [self._submit(twin, function, args, {}) for args in zip(*iterables)]
        self.finish()
        if any(future.error is not None for future in futures):
            return _Results(futures)
        return iter([future.value for future in futures])

    def finish(self):
        waiting, self._waiting = self._waiting, []
        if waiting:
            asyncio.run(_together(waiting))
        for future in waiting:
            for function in future.callbacks:
                function(future)

    def shutdown(self, wait=True, *, cancel_futures=False):
        self.finish()

    def __enter__(self):
        return self

    def __exit__(self, kind, error, trace):
        self.finish()
        return False


class _Results:
    """The results in order; an error is raised where its turn comes."""

    def __init__(self, futures):
        self._futures, self._next = futures, 0

    def __iter__(self):
        return self

    def __next__(self):
        if self._next >= len(self._futures):
            raise StopIteration
        self._next += 1
        return self._futures[self._next - 1].result()


def as_completed(fs, timeout=None):
    futures = list(fs)
    for future in futures:
        future.pool.finish()
    return iter(futures)


def wait(fs, timeout=None, return_when="ALL_COMPLETED"):
    return (set(as_completed(fs)), set())
