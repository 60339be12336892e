"""The official MCP client calls the tools, in the same process, over stdin and stdout, and over HTTP."""

import asyncio
import json
import os
import re
import socket
import subprocess
import sys
from contextlib import asynccontextmanager
from pathlib import Path

import httpx2
import pytest

pytest.importorskip("mcp", reason="the extra mcp is not installed")

from mcp import Client, MCPError, StdioServerParameters
from mcp.client.streamable_http import streamable_http_client

from rlm_memory_core import MemoryRLM, MemoryStore
from rlm_memory_core.cli import main as cli
from rlm_memory_core.serving.mcp_server import MemoryServer
from rlm_memory_core.store.times import parse_time

READING = {"find", "look", "timeline", "cite", "sessions"}
ROOT = Path(__file__).parent.parent.parent
NOON = 1684584000.0  # 2023-05-20 12:00 UTC


def command(*arguments):
    return StdioServerParameters(
        command=sys.executable, args=["-m", "rlm_memory_core", "mcp", *map(str, arguments)], env=dict(os.environ)
    )


@asynccontextmanager
async def over_http(*arguments, token="", headers=None):
    """A server process on a free port: the address, and a function that makes a transport to it."""
    started = command(*arguments, "--http", 0)
    process = await asyncio.create_subprocess_exec(
        started.command, *started.args, env=started.env | {"RLM_MEMORY_TOKEN": token}, stderr=asyncio.subprocess.PIPE
    )
    try:
        line = (await process.stderr.readline()).decode()
        found = re.search(r"http://\S+/mcp", line)
        assert found, line + (await process.stderr.read()).decode()
        bearer = {"Authorization": f"Bearer {token}"} if token else {}
        async with httpx2.AsyncClient(headers=headers or bearer) as client:
            yield found[0], lambda: streamable_http_client(found[0], http_client=client)
    finally:
        if process.returncode is None:
            process.terminate()
        await process.wait()


async def call(client, tool, **arguments):
    """The text of a result that is no error."""
    result = await client.call_tool(tool, arguments)
    assert not result.is_error, result.content[0].text
    (content,) = result.content
    return content.text


async def mistake(client, tool, **arguments):
    """The one line that a wrong call gets."""
    result = await client.call_tool(tool, arguments)
    assert result.is_error
    assert "\n" not in result.content[0].text
    return result.content[0].text


def within(store, work, mode="auto", **options):
    """What `work` returns with a client of a server in this process."""

    async def run():
        async with Client(MemoryServer(store, **options), mode=mode) as client:
            return await work(client)

    return asyncio.run(run())


@pytest.fixture
def history(tmp_path):
    """The path of a store that an export of ChatGPT was imported into."""

    def chat(number, title, *said):
        mapping, parent = {}, None
        for place, text in enumerate(said):
            content = {"content_type": "text", "parts": [text]}
            author = {"role": "assistant" if place % 2 else "user"}
            at = NOON + number * 864_000 + place
            mapping[f"{place}"] = {
                "parent": parent,
                "message": {"author": author, "create_time": at, "content": content},
            }
            parent = f"{place}"
        return {"title": title, "id": title, "create_time": NOON, "mapping": mapping, "current_node": parent}

    chats = [
        chat(0, "A flat", "I have just moved from Porto to Lisbon with my cat Mochi.", "Welcome to Lisbon!"),
        chat(
            1,
            "Bread",
            "My sourdough starter is called Gluteus.",
            "What a name. Feed it once a day.",
            "Rye or wheat?",
            "Rye.",
        ),
        chat(2, "Moving again", "The lease is over: I live in Braga now, near the station.", "How is Mochi taking it?"),
        chat(3, "Allergy", "My doctor says I must not eat walnuts.", "I will leave them out of recipes."),
    ]
    export = tmp_path / "conversations.json"
    export.write_text(json.dumps(chats))
    store = tmp_path / "history.db"
    assert cli.main(["import", str(export), "--store", str(store), "--tz", "UTC"]) == 0
    return store


async def use_everything(client):
    """List the tools, and call each of them."""
    tools = {tool.name: tool for tool in (await client.list_tools()).tools}
    assert tools.keys() == READING | {"remember", "ask"}
    assert [name for name, tool in tools.items() if not tool.annotations.read_only_hint] == ["remember"]
    assert all(tool.description for tool in tools.values())
    assert "user: My sourdough starter is called Gluteus." in await call(client, "find", probes=["sourdough starter"])
    assert "Rye or wheat?" in await call(client, "look", sessions=[2])
    assert "station" in await call(client, "timeline", names=["Braga"])
    assert (
        await call(client, "cite", turn=1, quote="my cat Mochi")
        == "-- session 1, 2023/05/20 (Sat) 12:00\n1: my cat Mochi"
    )
    newest = (await call(client, "sessions")).splitlines()[0]
    assert newest.startswith("session 4 | 2023/06/19 (Mon) 12:00 | 2 turns user:")
    assert newest.endswith(" | Allergy")
    stored = await call(client, "remember", content="I have a bicycle called Zorro.", conversation="wheels")
    assert re.fullmatch(r"stored as turn \d+ in session 5", stored)
    assert "Zorro" in await call(client, "find", probes=["bicycle"])
    assert "Gluteus" in await call(client, "ask", question="What is my sourdough starter called?")
    summary = await client.read_resource("memory://summary")
    assert "5 sessions, 11 turns" in summary.contents[0].text
    session = await client.read_resource("memory://sessions/2")
    assert session.contents[0].text.endswith("6 assistant: Rye.")


def test_the_official_client_calls_every_tool_over_stdin_and_stdout(history):
    async def run():
        async with Client(command("--store", history, "--model", "offline")) as client:
            await use_everything(client)

    asyncio.run(run())


def test_the_official_client_calls_every_tool_over_http(history):
    async def run():
        served = over_http("--store", history, "--model", "offline", token="s3cret")
        async with served as (_, transport), Client(transport()) as client:
            await use_everything(client)

    asyncio.run(run())


async def agent(client, probes, wanted):
    """Answer as an agent would that sees the tools' texts alone: find, look around the best turn, cite its words."""
    found = await call(client, "find", probes=probes, role="user", order="date")
    turn = int(re.findall(rf"^(\d+) user: .*{wanted}", found, re.MULTILINE)[-1][0])
    seen = await call(client, "look", around=turn)
    said = re.search(rf"^{turn} user: (.*)$", seen, re.MULTILINE)[1]
    answer = re.search(wanted, said)[1]
    return answer, await call(client, "cite", turn=turn, quote=said)


def test_a_scripted_agent_answers_from_an_imported_export_with_find_look_and_cite(history):
    async def run():
        async with Client(command("--store", history, "--read-only")) as client:
            return [
                await agent(client, ["starter called", "sourdough"], r"called (\w+)"),
                await agent(client, ["I live in", "moved to"], r"(?:in|to) (\w+) now"),
                await agent(client, ["must not eat", "allergic"], r"eat (\w+)"),
            ]

    answers = asyncio.run(run())
    assert [answer for answer, _ in answers] == ["Gluteus", "Braga", "walnuts"]
    assert [cited.splitlines()[1].split(":")[0] for _, cited in answers] == ["3", "7", "9"]


def test_the_configuration_of_every_client_in_the_docs_starts_a_server(tmp_path):
    page = (ROOT / "docs" / "mcp.md").read_text()
    found = [json.loads(block) for block in re.findall(r"```json\n(.*?)```", page, re.DOTALL)]
    servers = [server for each in found for server in next(iter(each.values())).values()]
    lines = re.findall(r"^claude mcp add memory -- (.*)$", page, re.MULTILINE)
    commands = {(server["command"], *server["args"]) for server in servers if "command" in server}
    commands |= {tuple(line.split()) for line in lines}
    assert {words[:3] for words in commands} == {("rlm-memory", "mcp", "--store")}
    assert len(servers) == 4
    assert len(lines) == 1

    async def run(options):
        async with Client(command("--store", tmp_path / "h.db", *options)) as client:
            return {tool.name for tool in (await client.list_tools()).tools}

    for options in {words[4:] for words in commands}:  # but for the file, most are alike
        assert asyncio.run(run(options)) == READING | {"remember"}


def test_a_read_only_server_offers_nothing_that_adds_and_creates_no_file(diary, tmp_path, capsys):
    async def reading(client):
        assert {tool.name for tool in (await client.list_tools()).tools} == READING
        assert "Unknown tool" in await mistake(client, "remember", content="x")

    within(diary, reading, read_only=True)
    assert cli.main(["mcp", "--read-only", "--store", str(tmp_path / "none.db")]) == 2
    assert capsys.readouterr().err.startswith(f"rlm-memory: there is no file {tmp_path / 'none.db'}; ")
    assert not (tmp_path / "none.db").exists()


def test_nobody_without_the_token_or_from_another_site_gets_in(history):
    hello = {"jsonrpc": "2.0", "id": 1, "method": "tools/list", "params": {}}
    accepts = {"Accept": "application/json, text/event-stream", "Content-Type": "application/json"}

    async def status(url, *, body=None, **headers):
        async with httpx2.AsyncClient() as client:
            sent = json.dumps(body or hello)
            return (await client.post(url, content=sent, headers=accepts | headers)).status_code

    async def run():
        right = {"Authorization": "Bearer s3cret"}
        async with over_http("--store", history, token="s3cret") as (url, _):
            wrong = [
                await status(url),
                await status(url, Authorization="Bearer wrong"),
                await status(url, Authorization="s3cret"),
            ]
            rebound = await status(url, **right, Host="evil.example")
            other_site = await status(url, **right, Origin="https://evil.example")
            large = await status(url, **right, body=hello | {"params": {"_meta": {"x": "x" * 5_000_000}}})
        async with over_http("--store", history) as (url, _):
            open_but_rebound = await status(url, Host="evil.example")
        return wrong, rebound, other_site, large, open_but_rebound

    assert asyncio.run(run()) == ([401, 401, 401], 421, 403, 413, 421)


@pytest.mark.parametrize(("token", "said"), [("", "RLM_MEMORY_TOKEN"), ("t", "--allow-host")])
def test_the_command_says_what_an_address_that_others_reach_needs(tmp_path, monkeypatch, capsys, token, said):
    monkeypatch.setenv("RLM_MEMORY_TOKEN", token)
    assert cli.main(["mcp", "--store", str(tmp_path / "h.db"), "--http", "0", "--host", "0.0.0.0"]) == 2
    told = capsys.readouterr().err
    assert told.count("\n") == 1
    assert said in told


def test_the_command_says_in_one_line_what_is_wrong(tmp_path, capsys):
    def run(*arguments):
        try:
            code = cli.main(["mcp", "--store", str(tmp_path / "h.db"), *arguments])
        except SystemExit as error:  # the parser's
            code = error.code
        assert code == 2
        said = capsys.readouterr().err
        assert said.count("\n") == 1
        return said

    assert "rlm-memory: " in run("--http", "70000")
    assert "Mars/Olympus" in run("--tz", "Mars/Olympus")
    (tmp_path / "h.db").write_bytes(b"no database" * 100)
    assert "is not a history" in run()


MISTAKES = [
    ("find", {}, "probes: Field required"),
    ("find", {"probes": []}, "find takes texts"),
    ("find", {"probes": [1]}, "valid string"),
    ("find", {"probes": ["cat"], "sessions": [1]}, "no argument sessions"),
    ("find", {"probes": ["cat"], "after": "soon"}, "not 'soon'"),
    ("find", {"probes": ["cat"], "order": "newest"}, "'relevance' or 'date'"),
    ("find", {"probes": ["cat"], "limit": 1000}, "limit"),
    ("find", {"probes": ["cat"], "page": 7}, "1 pages"),
    ("look", {}, "either sessions"),
    ("look", {"sessions": [1], "around": 1}, "either sessions"),
    ("look", {"sessions": [9]}, "from 1 to 3"),
    ("look", {"around": 10**30}, "there is no turn"),
    ("timeline", {"names": [""], "before": "x"}, "not 'x'"),
    ("cite", {"turn": 1, "quote": "My dog"}, "it says: My cat is called Mochi."),
    ("cite", {"turn": 0, "quote": "cat"}, "from 1 to 6"),
    ("cite", {"turn": 1, "quote": ""}, "quote"),
    ("remember", {"content": "  "}, "not be empty"),
    ("remember", {"content": "x", "said_at": "yesterday"}, "not 'yesterday'"),
    ("remember", {"content": "x", "context": {}}, "no argument context"),
    ("ask", {"question": "?"}, "Unknown tool"),
]


@pytest.mark.parametrize(
    ("tool", "arguments", "words"), MISTAKES, ids=[f"{tool} {words}" for tool, _, words in MISTAKES]
)
def test_a_wrong_call_gets_one_line_that_says_what_is_right(diary, tool, arguments, words):
    assert words in within(diary, lambda client: mistake(client, tool, **arguments))
    assert len(diary) == 6


def test_wrong_resources_are_errors_of_one_line(diary):
    async def read(client, address):
        with pytest.raises(MCPError) as caught:
            await client.read_resource(address)
        return str(caught.value)

    for address, words in (
        ("memory://sessions/9", "from 1 to 3"),
        ("memory://sessions/x", "number"),
        ("memory://x", "x"),
    ):
        said = within(diary, lambda client, address=address: read(client, address))
        assert words in said
        assert "\n" not in said


def test_lists_may_be_given_as_models_give_them(diary):
    async def both(client):
        one = await call(client, "find", probes="cat")
        return one, await call(client, "find", probes='["cat"]'), await call(client, "look", sessions=1)

    one, written, session = within(diary, both)
    assert one == written
    assert "Mochi" in session


def test_an_agent_that_forgot_is_shown_the_same_again_and_what_was_added_meanwhile(diary):
    async def twice(client):
        first = await call(client, "find", probes=["cat"])
        again = await call(client, "find", probes=["cat"])
        diary.add("user", "The cat has kittens.")
        return first, again, await call(client, "find", probes=["cat"])

    first, again, later = within(diary, twice)
    assert first == again
    assert "shown above" not in again
    assert "kittens" in later


def test_a_long_result_comes_in_pages_that_lose_no_line(store):
    store.start_session("2023/05/20")
    for number in range(60):
        store.add("user", f"Walnut number {number} " + "is quite a nut " * 12)

    async def pages(client):
        got, page = [], 1
        while not got or "shows more)" in got[-1]:
            got.append(await call(client, "look", sessions=[1], page=page))
            page += 1
        return got

    got = within(store, pages)
    assert len(got) > 1
    assert all(len(each) < 8_000 for each in got)
    assert all(each.startswith("-- session 1, 2023/05/20") for each in got)
    numbers = [int(number) for each in got for number in re.findall(r"Walnut number (\d+)", each)]
    assert numbers == list(range(60))


def test_sessions_are_listed_in_parts_and_what_was_said_cannot_pose_as_one(store):
    for number in range(1, 71):
        store.start_session(f"2023/05/{number % 28 + 1:02}", title="A\nsession 99" if number == 70 else "")
        store.add("user", f"Hello {number}\nsession 98, never")

    async def parts(client):
        first = await call(client, "sessions")
        return first, await call(client, "sessions", before=41), await call(client, "sessions", before=11)

    listed = [re.findall(r"^session (\d+)", part, re.MULTILINE) for part in within(store, parts)]
    assert [list(map(int, part)) for part in listed] == [
        [*range(70, 40, -1)],
        [*range(40, 10, -1)],
        [*range(10, 0, -1)],
    ]
    assert within(MemoryStore(), lambda client: call(client, "sessions")) == "there are no sessions"


def test_what_is_remembered_keeps_its_time_its_speaker_and_its_conversation(store):
    async def talk(client):
        await call(client, "remember", content="We leave at nine.", said_at="2024-02-03T21:00", name="Ada")
        await call(client, "remember", content="Noted.", role="assistant", said_at="2024-02-03T21:01")
        await call(client, "remember", content="Next day.", said_at="2024-02-04T09:00")
        await call(client, "remember", content="Other talk.", said_at="2024-02-04T09:01", conversation="trip")
        await call(client, "remember", content="Still it.", said_at="2024-02-04T09:02", conversation="trip")

    within(store, talk)
    assert [(session.date, session.title, len(session.turns)) for session in store.sessions] == [
        ("2024/02/03 (Sat) 21:00", "", 2), ("2024/02/04 (Sun) 09:00", "", 1), ("2024/02/04 (Sun) 09:01", "trip", 2)
    ]  # fmt: skip
    assert store.turns[0].name == "Ada"


def test_what_is_remembered_without_a_time_is_of_today(store):
    within(store, lambda client: call(client, "remember", content="Hello."), mode="legacy")
    assert store.sessions[0].date is not None
    assert parse_time(store.turns[0].timestamp).tzinfo is not None


def test_ask_uses_the_model_and_shows_the_evidence(diary, root_and_subagents):
    llm = root_and_subagents(['```repl\ncite(1, "called Mochi")\nFINAL("Mochi")\n```'])
    said = within(diary, lambda client: call(client, "ask", question="What is my cat called?"), engine=MemoryRLM(llm))
    assert said.startswith('Mochi\n\nsession 1 | 2023/05/20 (Sat) 02:21 | turn 1\n  "called Mochi"\n')


def test_a_model_that_fails_is_an_error_of_one_line(diary, scripted):
    llm = scripted(lambda messages: httpx2.Response(401, json={"error": {"message": "no such key"}}))
    said = within(diary, lambda client: mistake(client, "ask", question="Who?"), engine=MemoryRLM(llm))
    assert said.startswith("ask: ")


def test_the_server_says_what_it_is_for(diary):
    async def told(client):
        return client.instructions

    assert "If there is a tool remember, keep what the user tells you" in within(diary, told)


def test_a_client_that_goes_away_ends_the_server_without_a_traceback(tmp_path):
    started = command("--store", tmp_path / "h.db")
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    with subprocess.Popen([started.command, *started.args], env=started.env, **pipes) as process:
        process.stdout.close()
        about = {"protocolVersion": "2025-06-18", "capabilities": {}, "clientInfo": {"name": "x", "version": "1"}}
        message = {"jsonrpc": "2.0", "id": 1, "method": "initialize", "params": about}
        process.stdin.write(json.dumps(message).encode() + b"\n")
        process.stdin.close()
        assert process.wait(60) == 0
        assert b"Traceback" not in process.stderr.read()  # Python 3.13 tells that a file of the mcp package broke


async def append_and_search(transport, name, rounds):
    """Append and search in turn; every search finds what was appended just before."""
    said = []
    async with Client(transport) as client:
        for number in range(rounds):
            said.append(f"{name} walked {number} miles")
            await call(client, "remember", content=said[-1], conversation=name)
            assert said[-1] in await call(client, "find", probes=[f'"{said[-1]}"'])
    return said


async def many(path, clients, rounds, http):
    if not http:
        work = [append_and_search(command("--store", path), f"client{each}", rounds) for each in range(clients)]
        return await asyncio.gather(*work)
    async with over_http("--store", path) as (_, transport):
        work = [append_and_search(transport(), f"client{each}", rounds) for each in range(clients)]
        return await asyncio.gather(*work)


def nothing_was_lost(path, said):
    with MemoryStore(path) as store:
        stored = [turn.content for turn in store.turns]
        assert sorted(stored) == sorted(line for lines in said for line in lines)
        for lines in said:
            assert [line for line in stored if line in set(lines)] == lines
        for session in store.sessions:
            assert len({turn.content.split()[0] for turn in session.turns}) == 1


@pytest.mark.slow
@pytest.mark.parametrize("http", [True, False])
def test_clients_at_once_lose_nothing(tmp_path, http, times):
    clients = 20 if http else times(5, 20)  # each over stdin and stdout has a process of its own
    said = asyncio.run(many(tmp_path / "h.db", clients, times(10, 60), http=http))
    nothing_was_lost(tmp_path / "h.db", said)


@pytest.mark.parametrize("said", [b"", b"G", b"GET /mcp HTTP/1.1\r\nHost: 127"])
def test_a_connection_that_stays_silent_is_closed(tmp_path, said):
    script = (
        "from rlm_memory_core import MemoryStore\n"
        "from rlm_memory_core.serving import access, mcp_server\n"
        "mcp_server.SILENCE = 0.2\n"
        f"server = mcp_server.MemoryServer(MemoryStore({str(tmp_path / 'h.db')!r}))\n"
        "mcp_server.serve_http(server, access.Access('127.0.0.1'), 0, lambda url: print(url, flush=True))\n"
    )
    with subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE, text=True) as served:
        try:
            port = int(served.stdout.readline().split(":")[2].split("/")[0])
            with socket.create_connection(("127.0.0.1", port), timeout=20) as silent:
                silent.sendall(said)
                assert silent.recv(100) == b""
        finally:
            served.kill()
