"""A Dask cluster that is already there, as an executor for `runner.run`.

It starts no cluster: that is `dask scheduler` and `dask worker`, or whatever a site has. Each worker needs this very
rlm-memory and, for a model that wants one, OPENAI_API_KEY in its own environment: keys are never sent. A worker that
dies costs nothing but time: the scheduler gives its questions to another.

Needs the extra `dask`.
"""

from __future__ import annotations

import asyncio
import hashlib
import logging
import pickle
import time
from collections.abc import Callable
from concurrent.futures import Executor, Future
from functools import lru_cache
from pathlib import Path
from typing import Any, ParamSpec, TypeVar

import rlm_memory_core
from rlm_memory_core.models import background

from ..data.assets import one_line
from .executors import ExecutorError

_CONNECTING = 5.0  # seconds until a scheduler is taken to be away
_CHECKING = 180.0  # seconds for a worker's first import, and its first call of a model
_WITHOUT_WORKERS = 60.0  # seconds in which lost workers may be replaced
_T = TypeVar("_T")
_P = ParamSpec("_P")


class DaskExecutor(Executor):
    """The workers of a Dask cluster; a context manager that leaves the cluster running.

    Args:
        address: The scheduler's, such as "tcp://127.0.0.1:8786".

    Raises:
        ExecutorError: `distributed` is not installed, or no scheduler answers there.
    """

    def __init__(self, address: str) -> None:
        try:
            from distributed import Client
        except ModuleNotFoundError as error:
            raise ExecutorError(f'{error.name} is not installed; run pip install "rlm-memory[dask]"') from error
        # what it would print of workers that come and go is the cluster's daily life, or becomes an error here
        logging.getLogger("distributed.client").setLevel(logging.CRITICAL)
        try:
            background.run(_reach(address))
            self._client = Client(address, timeout=_CONNECTING, set_as_default=False)
        except Exception as error:  # of many kinds: addresses, sockets, TLS
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
        """Threads of all workers; 0 for as long as lost ones may be replaced.

        Raises:
            ExecutorError: There have been no workers for a minute, or the scheduler is gone.
        """
        threads = sum(self._threads().values())
        if threads:
            self._seen = time.monotonic()
        elif time.monotonic() - self._seen > _WITHOUT_WORKERS:
            raise ExecutorError(f"the Dask cluster at {self.address} has lost all its workers")
        return threads

    def submit(self, work: Callable[_P, _T], /, *args: _P.args, **kwargs: _P.kwargs) -> Future[_T]:
        """Have a worker call a function."""
        future: Future[_T] = self._inner.submit(pickle.loads, _call(work, *args, **kwargs))
        return future

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:
        """Leave the cluster."""
        self._inner.shutdown(wait and not cancel_futures)
        self._client.close()

    def on_each(self, work: Callable[_P, _T], /, *args: _P.args, **kwargs: _P.kwargs) -> list[_T]:
        """Call a function once on every worker there is now.

        Raises:
            ExecutorError: There is no worker, or the call failed on one; the line says where and why.
        """
        call = _call(work, *args, **kwargs)
        futures = {
            worker: self._client.submit(pickle.loads, call, workers=[worker], pure=False) for worker in self._threads()
        }
        if not futures:
            raise ExecutorError(f"the Dask cluster at {self.address} has no workers")
        found = []
        for worker, future in futures.items():
            try:
                found.append(future.result(_CHECKING))
            except Exception as error:  # whatever it is, it is said
                raise ExecutorError(f"the Dask worker {worker}: {one_line(error)}") from error
        return found

    def check(self) -> None:
        """See that every worker has the rlm-memory that this process has.

        Raises:
            ExecutorError: One has none, or another one.
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
    """Ask a scheduler who it is. A client that is made without one does not always give up, or end cleanly."""
    from distributed.core import rpc
    from distributed.security import Security

    async with asyncio.timeout(_CONNECTING):
        scheduler = rpc(address, connection_args=Security().get_connection_args("client"))
        try:
            await scheduler.identity()
        finally:
            await scheduler.close_rpc()


@lru_cache
def executor(address: str) -> DaskExecutor | None:
    """The cluster at an address, for a notebook: connected once, left when the kernel ends.

    Args:
        address: The scheduler's, or "" for no cluster.

    Raises:
        ExecutorError: It cannot be used; see `DaskExecutor`.

    >>> executor("") is None
    True
    """
    return DaskExecutor(address) if address else None


class _Call:
    """A call that is made where it is unpickled: the scheduler, which does not, needs no rlm-memory."""

    def __init__(self, work: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        self._parts = work, args, kwargs

    def __reduce__(self) -> tuple[Any, ...]:
        return _make, self._parts


def _make(work: Callable[..., _T], args: tuple[Any, ...], kwargs: dict[str, Any]) -> _T:
    return work(*args, **kwargs)


def _call(work: Callable[_P, Any], /, *args: _P.args, **kwargs: _P.kwargs) -> bytes:
    from cloudpickle import dumps

    return bytes(dumps(_Call(work, args, kwargs)))


def _source() -> str:
    """The version of this package and a checksum of its source: a worker with other code may answer otherwise."""
    folder = Path(rlm_memory_core.__file__).parent
    code = b"\0".join(path.read_bytes() for path in sorted(folder.rglob("*.py")))
    return f"{rlm_memory_core.__version__}, source {hashlib.sha256(code).hexdigest()[:8]}"
