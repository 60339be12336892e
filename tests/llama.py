"""Starts llama.cpp's own server with a small real model, for tests: in a process of its own, on loopback."""

import subprocess
import sys
from contextlib import contextmanager
from typing import NamedTuple

CONTEXT = 4096  # tokens
# one thread: with two, each waits for the other where other tests keep the cores busy. One sentence is enough
OPTIONS = ("--port=0", f"--context={CONTEXT}", "--slots=4", "--threads=1", "--stop=.", "--stop=\n")

HELLO = [{"role": "user", "content": "Say hello."}]

# the server ends with its standard input, and so with the tests, in whatever way they end
PROCESS = """
import os, sys, threading
from rlm_memory_core.serving import llama_server
threading.Thread(target=lambda: (sys.stdin.read(), os._exit(0)), daemon=True).start()
llama_server.main(sys.argv[1:])
"""


class RealServer(NamedTuple):
    """A running server: its address for `connect`, and its process."""

    url: str
    process: subprocess.Popen


@contextmanager
def running(*options):
    """Start a server and wait until it has loaded its model; stop it at the end."""
    with subprocess.Popen(
        [sys.executable, "-c", PROCESS, *options], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        try:
            line = process.stdout.readline()
            assert line.startswith("http://127.0.0.1:"), f"the server did not start: {line!r}"
            yield RealServer(line.split()[0], process)
        finally:
            process.kill()
