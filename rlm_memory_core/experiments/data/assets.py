"""Finds the files of the benchmarks: in a local folder, among earlier downloads, or by one checked download.

A file on disk is taken as it is, so that a subset in the official format works; only a download must match its
checksum. Nothing here reads the contents of a file, and nothing is ever deleted. `assets.toml` lists the files.
"""

import hashlib
import logging
import os
import sys
import tomllib
from contextlib import ExitStack
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from typing import Any

from rlm_memory_core.models.call_store import cache_path

from ..project import one_line as one_line
from ..project import project_root as project_root

DATA_VARIABLE = "RLM_MEMORY_DATA"


class DataUnavailable(Exception):
    """Data is missing and cannot be downloaded; the message is one line that says what, where and what to do."""

    def _render_traceback_(self) -> list[str]:
        """Shows only the message in a notebook, without a traceback."""
        return [f"{type(self).__name__}: {self}"]


class DataBroken(DataUnavailable):
    """Data is on disk but cannot be used."""


@dataclass(frozen=True)
class Asset:
    """One file of a benchmark.

    Args:
        name: Its name in messages.
        filenames: Possible names on disk, best first; a download gets the first.
        url: The address of the official file.
        sha256: Checksum of the official file in hex, or None.
        bytes: Size of the official file.
        note: Its licence and what it holds.
    """

    name: str
    filenames: tuple[str, ...]
    url: str
    sha256: str | None = None
    bytes: int | None = None
    note: str = ""


def locate(asset: Asset, data_dir: str | Path | None = None, *, download: bool = True) -> Path:
    """Returns the path of an asset, which is downloaded once if it is nowhere on disk.

    Searches `data_dir`, or else `$RLM_MEMORY_DATA`; then the project's `data/`; then earlier downloads, which are in
    `data` in `$RLM_MEMORY_CACHE` or the user's cache folder.

    Args:
        asset: The file to find.
        data_dir: A folder to search before all others; None or "" for none.
        download: Whether a download is allowed; on a terminal it shows a bar.

    Raises:
        DataUnavailable: A named folder does not exist, or the file cannot be found or fetched.

    Example:
        >>> locate(LONGMEMEVAL["s"], "data").name  # doctest: +SKIP
        'longmemeval_s_cleaned.json'
    """
    if found := on_disk(asset, data_dir):
        return found
    searched = f"{asset.name} ({' or '.join(asset.filenames)}) is not in {', '.join(map(str, _folders(data_dir)))}"
    advice = f"set {DATA_VARIABLE} to its folder, or put it into {project_root() / 'data'}"
    if not download:
        raise DataUnavailable(f"{searched}; {advice}")
    try:
        return _fetch(asset, cache_path() / "data")
    except (OSError, ValueError) as error:  # the network and the disk; pooch's checksum mismatch and ours
        raise DataUnavailable(f"{searched}, and {asset.url} failed: {_why(error)}; {advice}") from error


def on_disk(asset: Asset, data_dir: str | Path | None = None) -> Path | None:
    """Returns the path of an asset that is on disk, or None; never downloads it.

    Raises:
        DataBroken: A named folder does not exist.
    """
    paths = (folder / filename for folder in _folders(data_dir) for filename in asset.filenames)
    return next((path for path in paths if path.is_file()), None)


def sha256_of(path: str | Path) -> str:
    """Returns the SHA-256 of a file in hex.

    Raises:
        OSError: The file cannot be read.
    """
    with Path(path).open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _why(error: Exception) -> str:
    """Says why a download failed; the long text of a failed connection is left out."""
    import requests  # pooch uses it

    return "no connection" if isinstance(error, requests.ConnectionError) else one_line(error)


def _folders(data_dir: str | Path | None) -> list[Path]:
    named, source = (data_dir, "data_dir") if data_dir else (os.environ.get(DATA_VARIABLE), DATA_VARIABLE)
    folders = [project_root() / "data", cache_path() / "data"]
    if named:
        first = Path(named).expanduser()
        if not first.is_dir():
            raise DataBroken(f"{source} names {first}, which is not a folder; name the folder that holds the data")
        folders.insert(0, first)
    return folders


def _fetch(asset: Asset, folder: Path) -> Path:
    import pooch  # here: local data does not need it

    pooch.get_logger().setLevel(logging.WARNING)  # else it announces every download on stderr
    folder.mkdir(parents=True, exist_ok=True)
    with ExitStack() as stack:

        def close_later(response: Any, **_: object) -> None:
            stack.callback(response.close)

        # pooch leaves the connection of a broken download open
        downloader = pooch.HTTPDownloader(progressbar=sys.stderr.isatty(), hooks={"response": close_later})
        known_hash = f"sha256:{asset.sha256}" if asset.sha256 else None
        # moves the file into place once it is whole and has the checksum
        return Path(pooch.retrieve(asset.url, known_hash, asset.filenames[0], folder, downloader=downloader))


_TABLES = tomllib.loads(files(__package__).joinpath("assets.toml").read_text(encoding="utf-8"))
_ASSETS = {key: Asset(**{**table, "filenames": tuple(table["filenames"])}) for key, table in _TABLES.items()}
LONGMEMEVAL = {variant: _ASSETS[f"longmemeval_{variant}"] for variant in ("oracle", "s", "m")}
LOCOMO = _ASSETS["locomo"]
