"""What every test has: a cache of its own, no key, and a scripted model under the real openai client."""

import asyncio
import gc
import inspect
import itertools
import json
import os
import sys
from contextlib import ExitStack
from html.parser import HTMLParser
from pathlib import Path

import httpx2
import pytest
from fault_server import FaultServer

from rlm_memory_core import Call, MemoryStore, Step, Trace, Usage, connect
from rlm_memory_core.models import adapting, background, openai_backend, pipeline
from rlm_memory_core.query.prompts import SEARCH_SUBAGENT_SYSTEM, SUBAGENT_SYSTEM


def pytest_addoption(parser):
    parser.addoption("--full", action="store_true", help="repeat as often as benchmarks/full.py does: minutes longer")


def pytest_configure():
    # no test needs certificates, and every client, here and in processes that tests start, would read all of them
    os.environ |= {"SSL_CERT_FILE": "", "SSL_CERT_DIR": str(Path(__file__).parent)}
    # nbval and papermill import jsonschema, which would build grammars for 3 s to check addresses that no notebook has
    sys.modules.setdefault("rfc3987_syntax", None)


@pytest.hookimpl(optionalhook=True, wrapper=True)
def pytest_xdist_auto_num_workers():
    return (yield) + 1  # many tests wait for processes that start


def pytest_collection_finish():
    gc.freeze()  # thousands of collected tests, which the garbage collector need not look through again and again


def pytest_ignore_collect(collection_path, config):
    """With `-m slow`, files without a slow test are not even imported."""
    fast = config.option.markexpr == "slow" and collection_path.match("test_*.py")
    return True if fast and "mark.slow" not in collection_path.read_text(encoding="utf-8") else None


@pytest.fixture
def times(pytestconfig):
    """`times(few, many)`: how often a slow test repeats what it does; many with `--full`."""
    return lambda few, many: many if pytestconfig.getoption("full") else few


NUMBERS = itertools.count()  # for names that no two tests of a process share


@pytest.fixture(autouse=True)
def _isolated(request, tmp_path_factory, monkeypatch):
    # a folder is made only for tests that ask for one: with each, pytest looks through all the others
    own = "tmp_path" in request.fixturenames
    cache = "cache" if own else f"cache-{next(NUMBERS)}"
    folder = request.getfixturevalue("tmp_path") if own else tmp_path_factory.getbasetemp()
    monkeypatch.setenv("RLM_MEMORY_CACHE", str(folder / cache))
    monkeypatch.setattr(adapting, "LEARNT", {})
    for name in ("OPENAI_API_KEY", "OPENAI_BASE_URL", "OPENAI_ORG_ID", "OPENAI_PROJECT_ID"):
        monkeypatch.delenv(name, raising=False)


class ScriptedModels:
    """Models whose answers a test writes: `scripted(answer)` gives an LLM.

    `answer` is a list of replies, or a function (plain or async) from messages, or texts to embed, to a reply.
    A reply is a text, an httpx2.Response, or an exception to raise in the transport.
    `requests` keeps the body of every request that reached a server, in order.
    """

    def __init__(self):
        self.requests = []
        self._answers = {}

    def __call__(self, answer, model="scripted", *, recorded="off", host="", api_key="k", **options):
        # another one for each: a request that an earlier test began and cancelled may be sent while this one runs
        host = host or f"model-{next(NUMBERS)}.test"
        if not callable(answer):
            replies = iter(answer)
            self._answers[host] = lambda messages: next(replies)
        else:
            self._answers[host] = answer
        return connect(model, f"http://{host}/v1", api_key, recorded, **options)

    async def handle(self, request):
        answer = self._answers[request.url.host]
        body = json.loads(request.content)
        self.requests.append(body)
        reply = answer(body.get("messages") or body["input"])
        if inspect.isawaitable(reply):
            reply = await reply
        if isinstance(reply, Exception):
            raise reply
        return httpx2.Response(200, json=completion(reply, body["messages"])) if isinstance(reply, str) else reply

    @property
    def conversation(self):
        """The messages of the last request."""
        return self.requests[-1]["messages"]


def completion(text, messages=(), **changes):
    """A chat completion; its usage counts characters, so that every call has another one."""
    usage = {"prompt_tokens": sum(len(message["content"]) for message in messages), "completion_tokens": len(text)}
    choice = {"index": 0, "message": {"role": "assistant", "content": text}, "finish_reason": "stop"}
    whole = {"id": "x", "object": "chat.completion", "created": 0, "model": "m", "choices": [choice], "usage": usage}
    return whole | changes


@pytest.fixture
def scripted(monkeypatch):
    models = ScriptedModels()
    transport = httpx2.MockTransport(models.handle)
    monkeypatch.setattr(openai_backend, "http_client", lambda timeout: httpx2.AsyncClient(transport=transport))
    monkeypatch.setattr(pipeline, "MAX_RETRIES", 0)
    yield models
    background.run(asyncio.sleep(0))  # a call whose caller was cancelled begins here, not in the next test


@pytest.fixture
def as_completion():
    return completion


@pytest.fixture
def root_and_subagents(scripted):
    """One scripted LLM for both roles: replies for the root in order, a function from prompt to reply for the rest."""

    def build(root_replies, subagent=lambda prompt: "NOT_FOUND", **options):
        replies = iter(root_replies)

        def answer(messages):
            if messages[0]["content"] in (SUBAGENT_SYSTEM, SEARCH_SUBAGENT_SYSTEM):
                return subagent(messages[1]["content"])
            return next(replies)

        return scripted(answer, **options)

    return build


class ParsedPage(HTMLParser):
    """What a browser sees of a view: `tags` in order, `text` without styles, `attributes` as (tag, name, value).

    Raises AssertionError where a tag is not closed in the order in which it was opened.
    """

    def __init__(self, html):
        super().__init__()
        self.tags, self.attributes, self.text, self._open = [], [], "", []
        self.feed(html)
        self.close()
        assert self._open == []

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        self.attributes += [(tag, name, value) for name, value in attrs]
        if tag not in {"meta", "br"}:
            self._open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.handle_starttag(tag, attrs)
        self._open.pop()

    def handle_endtag(self, tag):
        assert self._open.pop() == tag

    def handle_data(self, data):
        if "style" not in self._open:
            self.text += data


@pytest.fixture
def parsed():
    return ParsedPage


@pytest.fixture
def fault_server():
    """A server on loopback that misbehaves on request: `fault_server(answer, plan=...)`.

    Its good answers are those of a function from messages to a text, and vectors of one number for texts to embed.
    """
    with ExitStack() as servers:

        def start(answer, **options):
            def complete(body):
                if "input" in body:
                    vectors = [{"index": at, "embedding": [float(len(text))]} for at, text in enumerate(body["input"])]
                    return {"object": "list", "data": vectors, "usage": {"prompt_tokens": len(vectors)}}
                return completion(answer(body["messages"]), body["messages"])

            return servers.enter_context(FaultServer(complete, **options))

        yield start


@pytest.fixture(scope="session")
def built_cache(tmp_path_factory):
    """A cache where LongMemEval's rows are built once, for all tests of all processes of pytest-xdist."""
    base = tmp_path_factory.getbasetemp()
    return (base.parent if "PYTEST_XDIST_WORKER" in os.environ else base) / "built"


@pytest.fixture
def builds_once(built_cache, monkeypatch):
    """For tests that read the real LongMemEval, which takes seconds to build."""
    monkeypatch.setenv("RLM_MEMORY_CACHE", str(built_cache))


@pytest.fixture(scope="session")
def longmemeval_s(built_cache):
    """The paper's questions of LongMemEval-S; a test that asks for them is skipped where the data is not."""
    from rlm_memory_core.experiments.data.assets import DataUnavailable
    from rlm_memory_core.experiments.data.longmemeval import load  # here: most tests do not need pandas

    if not os.environ.get("RLM_MEMORY_DATA"):
        pytest.skip("RLM_MEMORY_DATA is not set, where LongMemEval-S would lie")
    try:
        with pytest.MonkeyPatch.context() as patch:
            patch.setenv("RLM_MEMORY_CACHE", str(built_cache))
            return load("s")
    except DataUnavailable as error:
        pytest.skip(str(error))


@pytest.fixture
def store():
    with MemoryStore() as store:
        yield store


@pytest.fixture
def diary(store):
    """Three dated sessions of two turns: a cat, a bicycle, a move."""
    for date, said in (
        ("2023/05/20 (Sat) 02:21", "My cat is called Mochi."),
        ("2023/06/01 (Thu) 10:00", "I bought a red bicycle."),
        ("2023/07/04 (Tue) 18:30", "I moved to Lisbon."),
    ):
        store.start_session(date)
        store.extend([("user", said), ("assistant", "Noted.")])
    return store


@pytest.fixture
def refused():
    """The one line of a command that was refused, from its exit code and what it printed."""

    def line(result):
        code, _, error = result
        assert code == 2
        assert error.count("\n") == 1
        assert error.startswith("rlm-memory: ")
        return error

    return line


@pytest.fixture
def longmemeval_item():
    """A question of LongMemEval's form, of a name and a kind: what the cat of its one session is called."""

    def item(name, kind="multi-session"):
        return {
            "question_id": name,
            "question_type": kind,
            "question": "What is my cat called?",
            "answer": "Mochi",
            "question_date": "2023/05/30 (Tue) 23:40",
            "haystack_session_ids": ["s1"],
            "haystack_dates": ["2023/05/20 (Sat) 02:21"],
            "haystack_sessions": [[{"role": "user", "content": "My cat is called Mochi."}]],
            "answer_session_ids": ["s1"],
        }

    return item


@pytest.fixture
def call():
    """A call that found something in a session of two turns; any field can be given."""

    def build(**changes):
        fields = {
            "session": "[Turn 1][user]: My cat is called Mochi.\n[Turn 2][assistant]: Got it.",
            "reply": '- [Turn 1] "My cat is called Mochi.": the cat',
            "usage": Usage(100, 10, 1),
            "cost_usd": 0.001,
            "started": 1.0,
            "seconds": 2.0,
            "recorded": False,
            "batch": 1,
            "number": 1,
            "date": "2023/05/20 (Sat) 02:21",
        }
        return Call(**fields | changes)

    return build


@pytest.fixture
def trace():
    """A trace of two steps around the given calls: one that asks, one that answers."""

    def build(*calls, **changes):
        asks = {
            "reply": "I will ask.\n```repl\nprint(1)\n```",
            "code": ("print(1)",),
            "output": "1\n",
            "calls": calls,
            "usage": Usage(50, 5, 1),
            "cost_usd": 0.01,
            "seconds": 0.9,
        }
        return Trace((Step(**asks | changes), Step("FINAL(1)", (), "", (), Usage(60, 6, 1), 0.01, 0.5, started=3.1)))

    return build


HOSTILE = '</pre></div><script>alert(1)</script><img src=x onerror="alert(2)"> \u202e\x1b[31m {{ 7 * 7 }} &amp;'


@pytest.fixture
def hostile():
    """A text that tries to become part of the page."""
    return HOSTILE
