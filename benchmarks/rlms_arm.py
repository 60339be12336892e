"""One fan-out of `rlms` (the official engine, PyPI), timed: its batched sub-calls, as its REPL makes them.

Run: python benchmarks/rlms_arm.py URL CALLS    (prints seconds of wall time and of CPU)

A process of its own, since `rlms` may live in another environment (`pip install
rlms==0.1.3`). Its cap on calls at once is its own default.
"""

from __future__ import annotations

import sys
import time


def main(url: str, calls: int) -> None:
    """Send one call to warm up, then the fan-out."""
    from rlm.clients.openai import OpenAIClient
    from rlm.core.comms_utils import send_lm_request_batched
    from rlm.core.lm_handler import LMHandler

    client = OpenAIClient(api_key="none", model_name="simulated", base_url=url)
    with LMHandler(client) as handler:
        client.completion(f"This is call {calls}.")  # not a batch: a second one meets the first one's closed event loop
        wall, cpu = time.perf_counter(), time.process_time()
        replies = send_lm_request_batched(handler.address, [f"This is call {n}." for n in range(calls)], timeout=3600)
        wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
    failed = [reply.error for reply in replies if reply.error]
    if failed:
        raise SystemExit(f"{len(failed)} calls failed: {failed[0]}")
    print(wall, cpu)


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]))
