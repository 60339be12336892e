"""Where the project lies, and how an error is quoted on one line."""

from pathlib import Path


def project_root() -> Path:
    """Returns the checkout's folder: the nearest one with the notebooks above the working folder or above this file.

    Falls back to the working folder, so that an installed package works from anywhere.
    """
    here = Path.cwd()
    for folder in (here, *here.parents, *Path(__file__).resolve().parents):
        if (folder / "pyproject.toml").is_file() and (folder / "notebooks").is_dir():
            return folder
    return here


def one_line(error: object) -> str:
    """Returns an error's message, or a text, on one line of at most 300 characters, to quote it in another message."""
    return " ".join(str(error).split())[:300] or type(error).__name__
