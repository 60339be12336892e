"""Where benchmark files come from: a local folder, the download cache, or one checked download.

A file that is already there is taken as it is, so that a subset in the official
format will do; only a download is held to its checksum. Nothing here reads what
is inside a file, and nothing is ever deleted.
"""

from __future__ import annotations

import hashlib
import logging
import os
import tempfile
from contextlib import ExitStack
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

from rlm_memory_core.models.llm import cache_path

DATA_VARIABLE = "RLM_MEMORY_DATA"
_BLOCK = 1 << 20  # bytes hashed at once: a file of any size in flat memory


class DataUnavailable(Exception):
    """Data that cannot be had; the message is one line that says what, where and what to do."""

    def _render_traceback_(self) -> list[str]:
        """What a notebook shows: the line itself, not the way to it."""
        return [f"{type(self).__name__}: {self}"]


class DataBroken(DataUnavailable):
    """Data that is there but cannot be used: unlike what is missing, it needs mending."""


@dataclass(frozen=True)
class Asset:
    """One file of a benchmark.

    Args:
        name: What messages call it.
        filenames: The names it may have on disk, best first; a download gets the first.
        url: Where the official file lies.
        sha256: Checksum of the official file in hex, or None where nobody has published one.
        bytes: Size of the official file.
        note: What a reader should know, such as its licence.
    """

    name: str
    filenames: tuple[str, ...]
    url: str
    sha256: str | None = None
    bytes: int | None = None
    note: str = ""


def locate(asset: Asset, data_dir: str | Path | None = None, *, download: bool = True, progress: bool = True) -> Path:
    """The path of an asset, downloaded once if it is nowhere on disk.

    Looks in `data_dir`, or else in `$RLM_MEMORY_DATA`; then in the project's `data/`;
    then among earlier downloads.

    Args:
        asset: What is wanted.
        data_dir: A folder to look in before all others.
        download: Whether it may be fetched.
        progress: Whether a download shows a bar.

    Raises:
        DataUnavailable: A named folder does not exist, or the file cannot be found or fetched.

    Example:
        >>> locate(LONGMEMEVAL["s"], "data").name  # doctest: +SKIP
        'longmemeval_s_cleaned.json'
    """
    folders = _folders(data_dir)
    for folder in folders:
        for filename in asset.filenames:
            if (folder / filename).is_file():
                return folder / filename
    searched = f"{asset.name} ({' or '.join(asset.filenames)}) is not in {', '.join(str(each) for each in folders)}"
    advice = f"set {DATA_VARIABLE} to its folder, or put it into {project_root() / 'data'}"
    if not download:
        raise DataUnavailable(f"{searched}; {advice}")
    try:
        return _fetch(asset, download_folder(), progress)
    except (OSError, ValueError) as error:  # the network and the disk; pooch's checksum mismatch and ours
        raise DataUnavailable(f"{searched}, and {asset.url} failed: {_why(error)}; {advice}") from error


def download_folder() -> Path:
    """Where downloads are kept: `data` in `$RLM_MEMORY_CACHE`, or in the user's cache folder."""
    return cache_path() / "data"


def project_root() -> Path:
    """The checkout's folder: the nearest one above the working folder, or above this file, with the notebooks.

    Falls back to the working folder, so that an installed package works from anywhere.
    """
    here = Path.cwd()
    for folder in (here, *here.parents, *Path(__file__).resolve().parents):
        if (folder / "pyproject.toml").is_file() and (folder / "notebooks").is_dir():
            return folder
    return here


def sha256_of(path: str | Path) -> str:
    """The SHA-256 of a file in hex, read in blocks; remembered while its size and time stay the same.

    Raises:
        OSError: The file cannot be read.
    """
    resolved = Path(path).resolve()
    status = resolved.stat()
    return _sha256(resolved, status.st_size, status.st_mtime_ns)


def one_line(error: BaseException) -> str:
    """An error's message on one line of at most 300 characters, for a message that quotes it."""
    return " ".join(str(error).split())[:300] or type(error).__name__


def _why(error: Exception) -> str:
    """Why a download failed; a connection that never came about has no more to tell than that."""
    import requests  # as pooch does

    return "no connection" if isinstance(error, requests.ConnectionError) else one_line(error)


def _folders(data_dir: str | Path | None) -> list[Path]:
    named, source = (data_dir, "data_dir") if data_dir is not None else (os.environ.get(DATA_VARIABLE), DATA_VARIABLE)
    folders = [project_root() / "data", download_folder()]
    if named:
        first = Path(named).expanduser()
        if not first.is_dir():
            raise DataBroken(f"{source} names {first}, which is not a folder; name the folder that holds the data")
        folders.insert(0, first)
    return folders


def _fetch(asset: Asset, folder: Path, progress: bool) -> Path:
    import pooch  # here, because with local data nobody needs it

    pooch.get_logger().setLevel(logging.WARNING)  # or it announces every download on stderr
    folder.mkdir(parents=True, exist_ok=True)
    target = folder / asset.filenames[0]
    # A folder of its own, on the same disk: whatever breaks, it vanishes with what it holds.
    with tempfile.TemporaryDirectory(dir=folder, prefix=".download-") as scratch, ExitStack() as stack:

        def close_later(response: Any, **_: object) -> None:
            stack.callback(response.close)

        downloaded = Path(
            pooch.retrieve(
                asset.url,
                known_hash=f"sha256:{asset.sha256}" if asset.sha256 else None,
                fname=target.name,
                path=scratch,
                # pooch leaves the connection of a broken download open
                downloader=pooch.HTTPDownloader(progressbar=progress, hooks={"response": close_later}),
            )
        )
        size = downloaded.stat().st_size
        if asset.bytes is not None and size != asset.bytes:
            raise ValueError(f"{size:,} bytes came, {asset.bytes:,} were expected")
        os.replace(downloaded, target)
    return target


@lru_cache(maxsize=64)
def _sha256(path: Path, size: int, mtime_ns: int) -> str:
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while block := file.read(_BLOCK):
            digest.update(block)
    return digest.hexdigest()


_HUB = "https://huggingface.co/datasets/xiaowu0162/longmemeval-cleaned/resolve/main"

LONGMEMEVAL: dict[str, Asset] = {
    "oracle": Asset(
        "LongMemEval, evidence sessions only",
        ("longmemeval_oracle.json", "longmemeval_oracle_paper100.json"),
        f"{_HUB}/longmemeval_oracle.json",
        "821a2034d219ab45846873dd14c14f12cfe7776e73527a483f9dac095d38620c",
        15_388_478,
        "MIT; about 2 sessions a question, with other dates than the S file",
    ),
    "s": Asset(
        "LongMemEval-S",
        ("longmemeval_s_cleaned.json", "longmemeval_s.json", "longmemeval_s_paper100.json"),
        f"{_HUB}/longmemeval_s_cleaned.json",
        "d6f21ea9d60a0d56f34a05b609c79c88a451d2ae03597821ea3d5a9678c3a442",
        277_383_467,
        "MIT; about 48 sessions a question",
    ),
    "m": Asset(
        "LongMemEval-M",
        ("longmemeval_m_cleaned.json", "longmemeval_m.json"),
        f"{_HUB}/longmemeval_m_cleaned.json",
        "9d79e5524794a2e6900a3aa9cb7d9152c5a3e8319c9a87c25494ba1eacee495f",
        2_737_100_077,
        "MIT; about 500 sessions a question",
    ),
}

LOCOMO = Asset(
    "LoCoMo",
    ("locomo10.json", "locomo_4.json"),
    "https://raw.githubusercontent.com/snap-research/locomo/main/data/locomo10.json",
    "79fa87e90f04081343b8c8debecb80a9a6842b76a7aa537dc9fdf651ea698ff4",
    2_805_274,
    "CC BY-NC 4.0; ten conversations of two people, 19 to 32 sessions each, and 1,986 questions",
)
