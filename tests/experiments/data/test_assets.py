import hashlib
import logging.handlers
import sys
import threading
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pooch
import pytest

from rlm_memory_core.experiments import project
from rlm_memory_core.experiments.data import assets
from rlm_memory_core.experiments.data.assets import Asset, DataUnavailable, locate, project_root, sha256_of

BODY = b'[{"question_id": "q1"}]' * 5000
DIGEST = hashlib.sha256(BODY).hexdigest()


class _Handler(BaseHTTPRequestHandler):
    def do_GET(self):
        self.server.asked.append(self.path)
        if self.path == "/missing":
            self.send_error(404)
            return
        self.send_response(200)
        self.send_header("Content-Length", str(len(BODY)))
        self.end_headers()
        self.wfile.write(BODY[: len(BODY) // 2] if self.path == "/half" else BODY)

    def log_message(self, *_):
        pass


@contextmanager
def serving():
    with ThreadingHTTPServer(("127.0.0.1", 0), _Handler) as server:
        server.asked = []
        server.url = f"http://127.0.0.1:{server.server_port}"
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield server
        finally:
            server.shutdown()
            thread.join()


@pytest.fixture
def web():
    with serving() as server:
        yield server


@pytest.fixture(autouse=True)
def places(tmp_path, monkeypatch):
    """No data anywhere: an empty project, an empty cache, no folder named."""
    (tmp_path / "project" / "notebooks").mkdir(parents=True)
    (tmp_path / "project" / "pyproject.toml").touch()
    monkeypatch.chdir(tmp_path / "project")
    monkeypatch.setenv("RLM_MEMORY_CACHE", str(tmp_path / "cache"))
    monkeypatch.delenv("RLM_MEMORY_DATA", raising=False)
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    return tmp_path


def thing(url="http://127.0.0.1:9/never", **more):
    return Asset("a thing", ("thing.json", "thing_small.json"), url, **more)


def put(folder, name, content=b"[]"):
    folder.mkdir(parents=True, exist_ok=True)
    (folder / name).write_bytes(content)
    return folder / name


def complaint(*args, **kwargs):
    with pytest.raises(DataUnavailable) as caught:
        locate(*args, **kwargs)
    message = str(caught.value)
    assert "\n" not in message
    return message


def everything_under(folder):
    return [path for path in folder.rglob("*") if path.is_file() or path.name.startswith(".")]


def test_folders_are_searched_in_order(places, monkeypatch):
    monkeypatch.setenv("RLM_MEMORY_DATA", str(places / "named"))
    cached = put(places / "cache" / "data", "thing.json")
    (places / "named").mkdir()
    assert locate(thing()) == cached
    project = put(places / "project" / "data", "thing.json")
    assert locate(thing()) == project
    named = put(places / "named", "thing.json")
    assert locate(thing()) == named
    given = put(places / "given", "thing.json")
    assert locate(thing(), places / "given") == given
    assert locate(thing(), str(places / "given")) == given


def test_an_explicit_folder_replaces_the_variable(places, monkeypatch):
    monkeypatch.setenv("RLM_MEMORY_DATA", str(put(places / "named", "thing.json").parent))
    (places / "given").mkdir()
    assert "named" not in complaint(thing(), places / "given", download=False)


def test_earlier_names_win_within_a_folder(places):
    small = put(places / "given", "thing_small.json")
    assert locate(thing(), places / "given") == small
    assert locate(thing(), places / "given") != put(places / "given", "thing.json")
    assert locate(thing(), places / "given").name == "thing.json"


def test_a_local_file_need_not_match_the_checksum(places):
    subset = put(places / "given", "thing_small.json", b"[1]")
    assert locate(thing(sha256=DIGEST, bytes=len(BODY)), places / "given") == subset


def test_without_download_one_line_says_what_where_and_what_to_do(places):
    message = complaint(thing(), download=False)
    for part in ("a thing", "thing.json", str(places / "project" / "data"), str(places / "cache"), "RLM_MEMORY_DATA"):
        assert part in message


def test_the_variable_must_name_a_folder(places, monkeypatch):
    monkeypatch.setenv("RLM_MEMORY_DATA", str(places / "nowhere"))
    assert complaint(thing()).startswith(f"RLM_MEMORY_DATA names {places / 'nowhere'}, which is not a folder")


def test_a_given_folder_must_exist(places):
    assert complaint(thing(), places / "nowhere").startswith("data_dir names")


def test_a_download_is_kept_and_not_repeated(web, places):
    wanted = thing(web.url + "/good", sha256=DIGEST, bytes=len(BODY))
    path = locate(wanted)
    assert path == places / "cache" / "data" / "thing.json"
    assert path.read_bytes() == BODY
    assert locate(wanted) == path
    assert web.asked == ["/good"]
    assert everything_under(places / "cache") == [path]


def test_a_download_shows_a_bar_on_a_terminal(web, capfd, monkeypatch):
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True)
    locate(thing(web.url + "/good"))
    assert "100%" in capfd.readouterr().err


def test_a_download_is_silent_without_a_terminal(web, capfd, monkeypatch):
    said = logging.handlers.BufferingHandler(100)  # pooch's logger has a handler that keeps an old stderr
    monkeypatch.setattr(pooch.get_logger(), "handlers", [said])
    locate(thing(web.url + "/good"))
    assert capfd.readouterr() == ("", "")
    assert said.buffer == []


@pytest.mark.parametrize(
    ("path", "more", "said"),
    [
        ("/good", {"sha256": "0" * 64}, "hash"),
        ("/missing", {}, "404"),
        ("/half", {}, "incomplete"),
        ("/half", {"sha256": DIGEST}, "incomplete"),
    ],
)
def test_a_broken_download_is_one_line_and_leaves_nothing(web, places, path, more, said):
    message = complaint(thing(web.url + path, **more))
    assert web.url + path in message
    assert said in message.lower()
    assert "RLM_MEMORY_DATA" in message
    assert everything_under(places / "cache") == []


def test_a_refused_connection_is_one_line_and_leaves_nothing(places):
    with serving() as server:
        closed = server.url
    assert closed in complaint(thing(closed + "/good"))
    assert everything_under(places / "cache") == []


def test_a_cache_that_cannot_be_written_is_one_line(places, web):
    put(places, "cache", b"a file where the folder should be")
    assert "cache" in complaint(thing(web.url + "/good"))


def test_a_second_try_after_a_failure_works(web):
    complaint(thing(web.url + "/half"))
    assert locate(thing(web.url + "/good")).read_bytes() == BODY


def test_sha256_follows_the_content(tmp_path):
    path = put(tmp_path, "file", BODY)
    assert sha256_of(path) == DIGEST
    path.write_bytes(b"")
    assert sha256_of(str(path)) == "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"


def test_the_project_root_is_found_from_below(places, monkeypatch):
    monkeypatch.chdir(places / "project" / "notebooks")
    assert project_root() == places / "project"


def test_outside_any_project_the_root_is_this_checkout_or_the_working_folder(places, monkeypatch):
    monkeypatch.setattr(project, "__file__", str(places / "site-packages" / "project.py"))
    (places / "elsewhere").mkdir()
    monkeypatch.chdir(places / "elsewhere")
    assert project_root() == places / "elsewhere"


@pytest.mark.parametrize("asset", assets.LONGMEMEVAL.values(), ids=assets.LONGMEMEVAL.keys())
def test_official_files_have_whole_checksums(asset):
    assert len(bytes.fromhex(asset.sha256)) == 32
    assert asset.url.endswith("/" + asset.filenames[0])
