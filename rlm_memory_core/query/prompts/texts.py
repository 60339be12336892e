"""Reads the texts of the prompts, which lie beside this file: `### NAME` begins a text, a backslash joins two lines."""

from __future__ import annotations

import re
from importlib.resources import files

_SECTION = re.compile(r"^### (\w+)\n(.*?)\n(?=### |\Z)", re.S | re.M)


def read_texts(file: str) -> dict[str, str]:
    """The texts of a file, by their names.

    >>> sorted(read_texts("record.txt"))[:2]
    ['CHAT', 'CUT_REPLY']
    """
    whole = files(__package__).joinpath(file).read_text(encoding="utf-8")
    return {name: text.replace("\\\n", "") for name, text in _SECTION.findall(whole)}
