"""Count what a query runs through: modules, functions, and the stack frames of one sub-agent request.

    python benchmarks/frames.py        # the counts
    python benchmarks/frames.py -v     # also the modules and the frames, by name

It asks the offline model about a history of a few turns (threshold 0, so that the REPL answers), twice: the first
query warms the caches, the second is counted. Only code of `rlm_memory_core` counts. The frames of a request are those
from the function that the REPL calls down to the backend; where a task starts another, the frames of both count.
"""

from __future__ import annotations

import asyncio
import sys
import threading
from collections import defaultdict
from collections.abc import Coroutine
from pathlib import Path
from types import FrameType
from typing import Any

import rlm_memory_core
from rlm_memory_core import MemoryChat, connect
from rlm_memory_core.models import background
from rlm_memory_core.query.prompts import SUBAGENT_SYSTEM

PACKAGE = str(Path(rlm_memory_core.__file__).parent)
REPL, OFFLINE = "repl", "offline"
ANSWERS = (str(Path("offline", "roles.py")), "reply")  # called by the backend


class Counter:
    """Sees every call of a function of ours while `counting` is set.

    `functions` maps a module to the names of its functions that ran; `request` holds the frames of the sub-agent
    request with the deepest stack, outermost first.
    """

    def __init__(self) -> None:
        self.counting = False
        self.functions: dict[str, set[str]] = defaultdict(set)
        self.request: list[str] = []
        self._parents: dict[asyncio.Task[Any], list[str]] = {}

    def profile(self, frame: FrameType, event: str, argument: object) -> None:
        """The callback for `sys.setprofile`."""
        if not self.counting or event != "call" or not frame.f_code.co_filename.startswith(PACKAGE):
            return
        module, name = _where(frame)
        self.functions[module].add(name)
        if (module, name) == ANSWERS and _is_for_a_subagent(frame):
            stack = self._stack(frame.f_back)
            first = max((place for place, each in enumerate(stack) if each.startswith(REPL)), default=-1) + 1
            backend = next(place for place, each in enumerate(stack) if each.startswith(OFFLINE))
            self.request = max(self.request, stack[first : backend + 1], key=len)

    def task_factory(
        self, loop: asyncio.AbstractEventLoop, work: Coroutine[Any, Any, Any], context: Any = None
    ) -> asyncio.Task[Any]:
        """Make a task, and remember the frames that made it."""
        task: asyncio.Task[Any] = asyncio.Task(work, loop=loop, context=context)
        if self.counting:
            self._parents[task] = self._stack(sys._getframe())
        return task

    def _stack(self, frame: FrameType | None) -> list[str]:
        """Our frames from the outermost one to this, through the tasks that started this one."""
        frames = []
        while frame is not None:
            if frame.f_code.co_filename.startswith(PACKAGE):
                frames.append(":".join(_where(frame)))
            frame = frame.f_back
        try:
            task = asyncio.current_task()
        except RuntimeError:
            task = None
        return (self._parents.get(task, []) if task else []) + frames[::-1]


def _where(frame: FrameType) -> tuple[str, str]:
    return str(Path(frame.f_code.co_filename).relative_to(PACKAGE)), frame.f_code.co_qualname


def _is_for_a_subagent(frame: FrameType) -> bool:
    messages = frame.f_locals.get("messages")
    return bool(messages) and messages[0]["content"] == SUBAGENT_SYSTEM


def count() -> Counter:
    """Ask the same kind of question twice, and count the second time."""
    counter = Counter()
    threading.setprofile(counter.profile)  # for the threads of the background loop
    background.loop().set_task_factory(counter.task_factory)  # type: ignore[arg-type]
    chat = MemoryChat(connect("offline", recorded="off"), threshold_chars=0)
    chat.add_turn("user", "My cat is called Mochi.")
    chat.add_turn("assistant", "A pretty name.")
    chat.query("Where is my cat?")
    sys.setprofile(counter.profile)
    counter.counting = True
    answer = chat.query("What is my cat called?")
    counter.counting = False
    sys.setprofile(None)
    threading.setprofile(None)  # type: ignore[arg-type]
    assert answer.coverage.asked == 1, answer.coverage
    return counter


def main() -> None:
    """Print the counts."""
    counter = count()
    functions = sum(map(len, counter.functions.values()))
    reader = sum(module.startswith(OFFLINE) for module in counter.functions)
    modules = f"{len(counter.functions) - reader} modules, and {reader} of the offline reader"
    print(f"a query with one sub-agent: {modules}; {functions} functions")
    print(f"a sub-agent request, from the REPL's host function to the backend: {len(counter.request)} frames")
    if "-v" in sys.argv:
        for module, names in sorted(counter.functions.items()):
            print(f"  {module}: {', '.join(sorted(names))}")
        print(*(f"  {depth:2} {frame}" for depth, frame in enumerate(counter.request, 1)), sep="\n")


if __name__ == "__main__":
    main()
