"""Other people's clients, from PyPI, complete a chat call with `rlm-memory serve`: for those that are installed."""

import importlib.util
import os
import subprocess
import sys

import pytest

SERVE = "import sys; from rlm_memory_core.cli.main import main; sys.exit(main(['serve', '--port', '0']))"
SAID = "My cat is called Mochi."
QUESTION = "What is my cat called?"
MESSAGES = [{"role": "user", "content": SAID}, {"role": "user", "content": QUESTION}]
OPENAI_STREAM = f"""
import openai
with openai.OpenAI(base_url=url, api_key="none") as client:
    with client.chat.completions.create(model="offline", messages={MESSAGES}, stream=True) as stream:
        print("".join(chunk.choices[0].delta.content or "" for chunk in stream))
"""
RLMS = f"""
from rlm import RLM
from rlm.clients import get_client
options = {{"model_name": "offline", "base_url": url, "api_key": "none"}}
print(get_client("openai", options).completion({MESSAGES}))
RLM(backend="openai", backend_kwargs=options, max_iterations=1).completion({SAID!r}, root_prompt={QUESTION!r})
"""
DSPY = f"""
import dspy
lm = dspy.LM("openai/offline", api_base=url, api_key="none", cache=False)
print(lm(messages={MESSAGES})[0])
"""


@pytest.fixture(scope="module")
def url():
    """The address that `rlm-memory serve` prints."""
    with subprocess.Popen([sys.executable, "-c", SERVE], stdout=subprocess.PIPE, text=True) as server:
        try:
            yield next(word for word in server.stdout.readline().split() if word.startswith("http"))
        finally:
            server.terminate()


@pytest.mark.parametrize(("package", "program"), [("openai", OPENAI_STREAM), ("rlm", RLMS), ("dspy", DSPY)])
def test_a_client_completes_a_chat_call(url, package, program, tmp_path):
    if importlib.util.find_spec(package) is None:
        pytest.skip(f"{package} is not installed (from PyPI: {'rlms' if package == 'rlm' else package})")
    environment = {**os.environ, "DSPY_CACHEDIR": str(tmp_path), "HOME": str(tmp_path)}
    done = subprocess.run(
        [sys.executable, "-c", f"url = {url!r}\n{program}"],
        capture_output=True,
        text=True,
        timeout=120,
        env=environment,
        cwd=tmp_path,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[0] == SAID
