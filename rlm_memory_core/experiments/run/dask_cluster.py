"""A running Dask cluster as an executor for `runner.run`; needs the extra `dask`.

Starts no cluster: use `dask scheduler` and `dask worker`, or what your site has. Each worker needs this same rlm-memory
and, for a hosted model, OPENAI_API_KEY in its own environment: keys are never sent. If a worker dies, the scheduler
gives its questions to another.
"""

import asyncio
import hashlib
import logging
import pickle
import time
from collections.abc import Callable
from concurrent.futures import Executor, Future
from functools import partial
from pathlib import Path
from typing import Any, ParamSpec, TypeVar

import rlm_memory_core
from rlm_memory_core.models import background

from ..data.assets import one_line
from .executors import ExecutorError

_CONNECTING = 5.0  # seconds to wait for a scheduler
_CHECKING = 180.0  # seconds for a worker's first import and first call of a model
_WITHOUT_WORKERS = 60.0  # seconds to wait for lost workers to be replaced
_T = TypeVar("_T")
_P = ParamSpec("_P")


class DaskExecutor(Executor):
    """The workers of a Dask cluster; a context manager that leaves the cluster running.

    Args:
        address: The scheduler's address, such as "tcp://127.0.0.1:8786".

    Raises:
        ExecutorError: `distributed` is not installed, or no scheduler answers.
    """

    def __init__(self, address: str) -> None:
        try:
            from distributed import Client
        except ModuleNotFoundError as error:
            raise ExecutorError(f'{error.name} is not installed; run pip install "rlm-memory[dask]"') from error
        # its log tells of workers that come and go; the errors that matter are raised here
        logging.getLogger("distributed.client").setLevel(logging.CRITICAL)
        try:
            background.run(_reach(address))
            self._client = Client(address, timeout=_CONNECTING, set_as_default=False)
        except Exception as error:  # many kinds: addresses, sockets, TLS
            why = f"not within {_CONNECTING:g} s" if isinstance(error, TimeoutError) else one_line(error)
            raise ExecutorError(
                f"no Dask scheduler answers at {address} ({why}); check that it runs, and that the address is like "
                "tcp://127.0.0.1:8786"
            ) from error
        self.address = address
        self._inner = self._client.get_executor(pure=False)
        self._seen = time.monotonic()

    @property
    def slots(self) -> int:
        """Threads of all workers; 0 while lost workers may still be replaced.

        Raises:
            ExecutorError: There were no workers for a minute, or the scheduler is gone.
        """
        threads = sum(self._threads().values())
        if threads:
            self._seen = time.monotonic()
        elif time.monotonic() - self._seen > _WITHOUT_WORKERS:
            raise ExecutorError(f"the Dask cluster at {self.address} has lost all its workers")
        return threads

    def submit(self, work: Callable[_P, _T], /, *args: _P.args, **kwargs: _P.kwargs) -> Future[_T]:
        """Makes a worker call a function."""
        future: Future[_T] = self._inner.submit(*_call(work, *args, **kwargs))
        return future

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:
        """Leaves the cluster running."""
        self._inner.shutdown(wait and not cancel_futures)
        self._client.close()

    def on_each(self, work: Callable[_P, _T], /, *args: _P.args, **kwargs: _P.kwargs) -> list[_T]:
        """Calls a function once on every current worker.

        Raises:
            ExecutorError: There is no worker, or the call failed on one; the message says where and why.
        """
        sent = _call(work, *args, **kwargs)
        futures = {each: self._client.submit(*sent, workers=[each], pure=False) for each in self._threads()}
        if not futures:
            raise ExecutorError(f"the Dask cluster at {self.address} has no workers")
        found = []
        for worker, future in futures.items():
            try:
                found.append(future.result(_CHECKING))
            except Exception as error:
                raise ExecutorError(f"the Dask worker {worker}: {one_line(error)}") from error
        return found

    def check(self) -> None:
        """Checks that every worker has the same rlm-memory as this process.

        Raises:
            ExecutorError: A worker has none, or a different one.
        """
        try:
            found = self.on_each(_source)
        except ExecutorError as error:
            if isinstance(error.__cause__, ImportError | AttributeError):
                raise ExecutorError(f"{error}; install this rlm-memory ({_source()}) on it") from error
            raise
        others = sorted(set(found) - {_source()})
        if others:
            raise ExecutorError(
                f"a worker of {self.address} has another rlm-memory ({others[0]}) than this process ({_source()}): "
                "install the same on both, or results could differ"
            )

    def _threads(self) -> dict[str, int]:
        try:
            threads: dict[str, int] = self._client.nthreads()
        except Exception as error:
            raise ExecutorError(f"the Dask scheduler at {self.address} is gone ({one_line(error)})") from error
        return threads


async def _reach(address: str) -> None:
    """Asks the scheduler for its identity: without a scheduler, a `Client` may wait too long or not end cleanly."""
    from distributed.core import rpc
    from distributed.security import Security

    async with asyncio.timeout(_CONNECTING):
        scheduler = rpc(address, connection_args=Security().get_connection_args("client"))
        try:
            await scheduler.identity()
        finally:
            await scheduler.close_rpc()


def _call(work: Callable[_P, Any], /, *args: _P.args, **kwargs: _P.kwargs) -> tuple[Callable[[bytes], Any], bytes]:
    """Returns a function and its argument; a worker unpickles the call itself, so the scheduler needs no rlm-memory."""
    from cloudpickle import dumps

    return lambda packed: pickle.loads(packed)(), dumps(partial(work, *args, **kwargs))


def _source() -> str:
    """The version of this package and a checksum of its source: other code may give other answers."""
    folder = Path(rlm_memory_core.__file__).parent
    code = b"\0".join(path.read_bytes() for path in sorted(folder.rglob("*.py")))
    return f"{rlm_memory_core.__version__}, source {hashlib.sha256(code).hexdigest()[:8]}"
