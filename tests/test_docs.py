"""README.md and docs/ are true: every block runs, every link leads somewhere, every figure is that of the outputs.

The blocks of a page run in order, with one namespace and one folder, as a reader would type them. Each page is one
test, so that pytest-xdist keeps it together; this is why the blocks are run here and not by sybil or
pytest-markdown-docs, which make each block a test of its own. markdown-it-py parses the pages, doctest compares output.
"""

import ast
import asyncio
import contextlib
import doctest
import inspect
import io
import json
import re
import shlex
import subprocess
import sys
import tomllib
import traceback
from itertools import pairwise
from pathlib import Path
from typing import NamedTuple
from urllib.parse import unquote, urlsplit

import httpx2
import pytest
from attacks.histories import HISTORIES
from endpoints import running
from markdown_it import MarkdownIt
from test_attacks import ATTACKS

from rlm_memory_core import MemoryStore
from rlm_memory_core.cli import main as cli
from rlm_memory_core.models import openai_backend
from rlm_memory_core.offline import completion

ROOT = Path(__file__).parent.parent
sys.path.insert(0, str(ROOT / "docs"))
import fill  # noqa: E402

sys.path.remove(str(ROOT / "docs"))

NAMES = [str(path.relative_to(ROOT)) for path in fill.PAGES]
LANGUAGES = {"python", "bash", "json", "text"}  # `text` is what the block before it prints
EXTERNAL = {
    "pip",
    "python",
    "curl",
    "ollama",
    "vllm",
    "llama-server",
    "claude",
    "inspect",
}  # not run
RUN = {"ask", "calls"}  # of our own commands; the others are parsed, as they take minutes, or serve for ever
EXTRAS = set(tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["optional-dependencies"])
_SERVED = "http://127.0.0.1:8000/v1"  # where pages say that the endpoint is
MARKDOWN = MarkdownIt("commonmark").enable("table")


class Block(NamedTuple):
    """A fenced block: its language, its text, and the line of the page on which its text begins, from 1."""

    language: str
    code: str
    line: int


def read(name):
    return (ROOT / name).read_text(encoding="utf-8")


def blocks(text):
    found = []
    for token in MARKDOWN.parse(text):
        if token.type == "code_block":
            pytest.fail(f"line {token.map[0] + 1}: a block that is only indented: fence it, and name its language")
        if token.type == "fence":
            found.append(Block(token.info.strip(), token.content, token.map[0] + 2))
    return found


class Reader:
    """Someone who types a page, block by block; `printed` is what the last one printed."""

    def __init__(self, name, monkeypatch):
        self.name = name
        self.names = {"__name__": "__main__"}
        self.printed = None
        self.monkeypatch = monkeypatch
        self.served = _SERVED  # the base URL of the endpoint that the page has started
        self.servers = contextlib.ExitStack()

    def type(self, block):
        assert block.language in LANGUAGES, f"{self.name}:{block.line}: no block may be of {block.language!r}"
        getattr(self, block.language)(block)

    def python(self, block):
        code = block.code.replace(_SERVED, self.served)
        source = "\n" * (block.line - 1) + code  # so that a traceback names the line of the page
        code = compile(source, str(ROOT / self.name), "exec", flags=ast.PyCF_ALLOW_TOP_LEVEL_AWAIT)
        with self.listening():
            waiting = eval(code, self.names)
            if inspect.iscoroutine(waiting):  # as a notebook does
                asyncio.run(waiting)

    def text(self, block):
        assert self.printed is not None, f"{self.name}:{block.line}: output of what? a block that is run comes first"
        options = doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE
        if not doctest.OutputChecker().check_output(block.code, self.printed, options):
            pytest.fail(f"{self.name}:{block.line} says\n{block.code}\nbut it prints\n{self.printed}", pytrace=False)
        self.printed = None

    def json(self, block):
        self.printed = None
        json.loads(block.code)

    def bash(self, block):
        self.printed = None
        for line in block.code.replace("\\\n", " ").splitlines():
            words = shlex.split(line, comments=True)
            while words and re.fullmatch(r"[A-Z_]+=.*", words[0]):
                words.pop(0)  # a variable for this command alone
            if words:
                self.command(words, f"{self.name}:{block.line}: {line}")

    def command(self, words, where):
        program, *arguments = words
        if program == "export":
            for setting in arguments:
                self.monkeypatch.setenv(*setting.split("=", 1))
        elif program == "make":
            check_make(arguments, where)
        elif program == "rlm-memory":
            options = parsed(arguments, where)
            if arguments[0] == "serve" and not options.allow_host:
                server = running(options.store, options.model, options.base_url, threshold=options.threshold)
                self.served = self.servers.enter_context(server)
            if arguments[0] in RUN:
                assert options.command is not None
                with self.listening():
                    code = cli.main(arguments)
                assert code == 0, f"{where}: ended with {code}"
        else:
            assert program in EXTERNAL, f"{where}: {program} is none of our commands, nor of {sorted(EXTERNAL)}"
            wanted = re.findall(r"\[([\w,]+)\]", " ".join(arguments)) if program == "pip" else []
            assert EXTRAS.issuperset(",".join(wanted).split(",") if wanted else ()), f"{where}: no such extra"

    @contextlib.contextmanager
    def listening(self):
        with contextlib.redirect_stdout(io.StringIO()) as out:
            yield
        self.printed = out.getvalue()

    def close(self):
        self.servers.close()
        for value in self.names.values():
            if isinstance(value, MemoryStore):
                value.close()


def parsed(arguments, where):
    try:
        return cli.parser().parse_args(arguments)
    except SystemExit:
        pytest.fail(f"{where}: rlm-memory does not take these arguments", pytrace=False)


def check_make(arguments, where):
    """The target is there, and rlm-memory takes what ARGS hands on to it."""
    made = subprocess.run(["make", "-n", *arguments], cwd=ROOT, capture_output=True, text=True)
    assert made.returncode == 0, f"{where}: {made.stderr}"
    for recipe in re.findall(r"rlm-memory (.+)", made.stdout):
        parsed(shlex.split(recipe), where)


async def stand_in(request):
    """A server at any address: the offline reader under the name of any model, and vectors of letters to embed."""
    if not request.url.path.endswith("/embeddings"):
        return httpx2.Response(200, json=completion(json.loads(request.content)))
    texts = json.loads(request.content)["input"]
    vectors = [[float(text.lower().count(letter)) + 0.1 for letter in "abcdefghijklmnopqrstuvwxyz"] for text in texts]
    data = [{"index": position, "embedding": vector} for position, vector in enumerate(vectors)]
    usage = {"prompt_tokens": sum(map(len, texts)) // 4, "total_tokens": sum(map(len, texts)) // 4}
    return httpx2.Response(200, json={"object": "list", "data": data, "usage": usage})


@pytest.fixture
def reader(tmp_path, monkeypatch):
    """Makes a reader of a page, in an empty folder, without a key but for what the page sets, and with no network."""
    readers = []

    def make(name):
        readers.append(Reader(name, monkeypatch))
        return readers[-1]

    folder = tmp_path / "work"
    folder.mkdir()
    monkeypatch.chdir(folder)
    transport = httpx2.MockTransport(stand_in)
    monkeypatch.setattr(openai_backend, "http_client", lambda timeout: httpx2.AsyncClient(transport=transport))
    yield make
    for each in readers:
        each.close()


@pytest.mark.parametrize("name", NAMES)
class TestPage:
    def test_every_block_runs(self, name, reader):
        text = read(name)
        found = blocks(text)
        typed = 0
        following = reader(name)
        for block in found:
            try:
                following.type(block)
            except Exception as error:
                lines = [frame.lineno for frame in traceback.extract_tb(error.__traceback__) if name in frame.filename]
                line = lines[-1] if lines else block.line
                pytest.fail(f"{name}:{line}: {type(error).__name__}: {error}", pytrace=False)
            typed += 1
        assert typed == len(found) == len(re.findall(r"^ *(?:```|~~~)", text, re.MULTILINE)) / 2

    def test_every_link_leads_somewhere(self, name):
        for link in links(read(name)):
            address = urlsplit(link)
            if address.scheme:
                assert address.scheme == "https", link
                continue
            target = ((ROOT / name).parent / unquote(address.path)).resolve() if address.path else ROOT / name
            assert target.exists(), f"{name} links to {link}, which is not there"
            assert target.is_relative_to(ROOT), f"{name} links to {link}, outside the repository"
            if address.fragment:
                assert address.fragment in anchors(target.read_text(encoding="utf-8")), f"{name}: no heading {link}"

    def test_its_figures_are_those_of_the_outputs(self, name):
        assert fill.filled(read(name)) == read(name), "run: python docs/fill.py"


def links(text):
    """Where links and pictures of a page lead, in Markdown or in HTML."""
    found = []
    for token in MARKDOWN.parse(text):
        for part in [token, *(token.children or [])]:
            found += [str(part.attrs[name]) for name in ("href", "src") if name in part.attrs]
            if part.type in ("html_block", "html_inline"):
                found += re.findall(r'\b(?:href|src)="([^"]*)"', part.content)
    return found


def anchors(text):
    """The anchors of a page's headings, as GitHub names them."""
    tokens = MARKDOWN.parse(text)
    found = set()
    for heading, content in pairwise(tokens):
        if heading.type == "heading_open":
            words = "".join(part.content for part in content.children or []).lower()
            found.add(re.sub(r"[^\w\- ]", "", words).replace(" ", "-"))
    return found


def test_every_page_is_linked_from_the_readme():
    assert {f"docs/{Path(name).name}" for name in NAMES[1:]} <= set(links(read("README.md")))


def test_every_program_that_is_let_through_is_named_in_a_page():
    named = " ".join(block.code for name in NAMES for block in blocks(read(name)) if block.language == "bash")
    assert {program for program in EXTERNAL if re.search(rf"\b{program}\b", named)} == EXTERNAL


def test_the_suites_are_as_large_as_the_pages_say():
    sandbox = read("docs/sandbox.md")
    assert f"{len(ATTACKS)} of {len(ATTACKS)}" in sandbox
    assert f"{len(HISTORIES)} hostile histories" in sandbox
    programs = sum(path.read_text().count("#===") for path in (ROOT / "tests" / "repl" / "corpus").glob("*.py"))
    assert f"{programs} small programs" in sandbox


@pytest.mark.parametrize(
    ("block", "words"),
    [
        (Block("python", "1 / 0", 7), "division by zero"),
        (Block("yaml", "{}", 7), "no block may be of 'yaml'"),
        (Block("json", "{]", 7), "Expecting"),
        (Block("", "what is this", 7), "no block may be of ''"),
        (Block("text", "output", 7), "output of what"),
        (Block("bash", "rlm-memory reproduce --modle x", 7), "does not take these arguments"),
        (Block("bash", 'make reproduce ARGS="--modle x"', 7), "does not take these arguments"),
        (Block("bash", "make repruduce", 7), "repruduce"),
        (Block("bash", "rm -r /", 7), "rm is none of our commands"),
        (Block("bash", "rlm-memory calls list --file nowhere/else.db", 7), "ended with 2"),
        (Block("bash", "pip install 'rlm-memory[wings]'", 7), "no such extra"),
    ],
)
def test_a_block_that_is_wrong_is_noticed(reader, block, words):
    with pytest.raises(BaseException, match=re.escape(words)):
        reader("README.md").type(block)


def test_output_that_is_wrong_is_noticed_and_dots_stand_for_anything(reader):
    page = reader("README.md")
    page.type(Block("python", "print('It took', 0.37, 's')", 7))
    page.type(Block("text", "It took ... s", 9))
    page.type(Block("python", "print('Mochi')", 12))
    with pytest.raises(pytest.fail.Exception, match="Kiwi"):
        page.type(Block("text", "Kiwi", 14))


def test_links_and_anchors_are_found():
    text = 'See [a](x.md#y) and ![b](z.svg).\n\n<img src="p.png" alt="">\n\n## What it *costs*, and `why`\n'
    assert links(text) == ["x.md#y", "z.svg", "p.png"]
    assert anchors(text) == {"what-it-costs-and-why"}


@pytest.mark.parametrize("text", ["A <!-- wings -->2<!-- /wings -->.", "<!-- tokens -->2<!-- /tokens --> tokens"])
def test_a_figure_that_cannot_be_filled_in_is_refused(text):
    with pytest.raises(fill.UnknownFigure):
        fill.filled(text)


def test_a_stale_figure_is_noticed():
    stale = "It takes <!-- numbers -->1<!-- /numbers -->."
    assert fill.filled(stale) != stale


def test_ranked_reading_is_filled_in_once_its_notebook_was_run(tmp_path, monkeypatch):
    monkeypatch.setattr(fill, "OUTPUTS", tmp_path)
    fill._rows.cache_clear()
    page = "Read less.\n\n<!-- ranked -->\n\nold\n\n<!-- /ranked -->\n"
    assert "To come" in fill.filled(page)
    figures = {"evidence_read": 0.9, "em": 0.5, "tokens": 20_664.6, "usd": 0.0035}
    rows = [
        {"id": f"beyond.longmemeval.{name}.{what}", "value": value, "low": 0.25, "high": 0.97, "n": 33}
        for name in fill._RANKED
        for what, value in figures.items()
    ]
    (tmp_path / "results").mkdir()
    (tmp_path / "results" / "07_beyond.json").write_text(json.dumps({"rows": rows}))
    assert "| the first 5 | 0.900 [0.25, 0.97] | 0.500 [0.25, 0.97] | 20,665 | 0.0035 | 33 |" in fill.filled(page)
    fill._rows.cache_clear()
