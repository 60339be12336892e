"""Count what a query runs through: modules, functions, and the stack frames of one sub-agent request.

    python benchmarks/frames.py        # the counts, for both readings
    python benchmarks/frames.py -v     # also the modules and the frames, by name

A scripted root model sends one sub-agent to the one session of a short history, looks at its reply and answers. Each
query is asked twice: the first one warms the caches, the second is counted. Only code of `rlm_memory_core` counts, and
no reader of histories: a fake backend answers. The frames of a request are those from the function that the REPL calls
down to the backend; where a task starts another, the frames of both count.
"""

from __future__ import annotations

import asyncio
import json
import sys
import threading
from collections import defaultdict
from collections.abc import AsyncGenerator, Callable, Coroutine
from pathlib import Path
from types import FrameType
from typing import Any

import rlm_memory_core
from rlm_memory_core import MemoryRLM, MemoryStore, Reading, connect
from rlm_memory_core.models import background
from rlm_memory_core.models.types import Backend, Request, Response
from rlm_memory_core.query.prompts import SEARCH_SUBAGENT_SYSTEM, SUBAGENT_SYSTEM

PACKAGE = str(Path(rlm_memory_core.__file__).parent)
REPL = "repl"
LOOK = {
    "paper": "```repl\nreplies = llm_query_parallel(sessions, session_dates, question)\nprint(replies)\n```",
    "search": "```repl\nread(1)\n```",
}


class Script:
    """A `Backend` that answers the root model's two calls and the sub-agent's one.

    Args:
        asked: Called when a request of a sub-agent arrives.
        way: "paper" or "search", the reading.
    """

    def __init__(self, asked: Callable[[], None], way: str) -> None:
        self._asked, self._look = asked, LOOK[way]

    async def send(self, request: Request) -> Response:
        """Answer one call."""
        messages = request.body["messages"]
        if messages[0]["content"] in (SUBAGENT_SYSTEM, SEARCH_SUBAGENT_SYSTEM):
            self._asked()
            text = '- [Turn 1] "My cat is called Mochi.": its name'
        else:
            text = self._look if len(messages) == 2 else "FINAL(Mochi)"
        choice = {"index": 0, "finish_reason": "stop", "message": {"role": "assistant", "content": text}}
        usage = {"prompt_tokens": 100, "completion_tokens": 10, "total_tokens": 110}
        return Response(json.dumps({"object": "chat.completion", "choices": [choice], "usage": usage}))

    def stream(self, request: Request) -> AsyncGenerator[str, None]:
        """Not used: a query streams nothing."""
        raise NotImplementedError


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

    def asked(self) -> None:
        """Note the frames of a sub-agent's request; called by the backend."""
        stack = self._stack(sys._getframe())
        first = max((place for place, each in enumerate(stack) if each.startswith(REPL)), default=-1) + 1
        self.request = max(self.request, [*stack[first:], "the backend"], key=len)

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


def count(counter: Counter, way: str) -> None:
    """Ask the same kind of question twice, and count the second time."""
    counter.functions.clear()
    counter.request = []
    backend: Backend = Script(counter.asked, way)
    llm = connect("scripted", api_key="none", recorded="off", rates=(0.0, 0.0), wrap=lambda _: backend)
    rlm = MemoryRLM(llm, reading=Reading(way))
    store = MemoryStore()
    store.extend([("user", "My cat is called Mochi."), ("assistant", "A pretty name.")])
    question = "What is my cat called?"
    rlm.query(store, question)
    counter.counting = True
    answer = rlm.query(store, question)
    counter.counting = False
    assert (answer.text, answer.coverage.found) == ("Mochi", 1), answer


def main() -> None:
    """Print the counts."""
    counter = Counter()
    sys.setprofile(counter.profile)
    threading.setprofile(counter.profile)  # for the threads of the background loop
    background.loop().set_task_factory(counter.task_factory)  # type: ignore[arg-type]
    for way in LOOK:
        count(counter, way)
        functions = sum(map(len, counter.functions.values()))
        print(f"{way}: a query with one sub-agent: {len(counter.functions)} modules; {functions} functions")
        print(
            f"{way}: a sub-agent request, from the REPL's host function to the backend: {len(counter.request)} frames"
        )
        if "-v" in sys.argv:
            for module, names in sorted(counter.functions.items()):
                print(f"  {module}: {', '.join(sorted(names))}")
            print(*(f"  {depth:2} {frame}" for depth, frame in enumerate(counter.request, 1)), sep="\n")


if __name__ == "__main__":
    main()
