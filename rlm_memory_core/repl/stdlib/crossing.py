"""How arguments cross to the host: as plain values, so that no value can freeze the host or fill its memory.

In the host, hashing a nested tuple may take for ever, and code can choose thousands of numbers that have the same hash.
So sets cross as lists, and the keys of dicts and objects as text.
"""

from collections import deque
from datetime import date, timedelta

# under other names, because code may give new values to the names of built-in functions
_str, _repr, _len, _id, _dict, _list, _range, _is_a = str, repr, len, id, dict, list, range, isinstance
_enumerate, _max, _hasattr, _getattr = enumerate, max, hasattr, getattr
_AS_THEY_ARE = (str, int, float, date, timedelta, type(None))
_LISTED = (list, tuple, set, frozenset, deque)
_MOST_LEVELS = 100  # what is nested deeper crosses as text
_MOST_IN_RANGE = 100_000
_MOST_OF_OBJECTS = 200_000  # characters, about, of the texts of all objects in one call
try:
    _host = _rlm_call_host  # given to the sandbox when a session starts
except NameError:  # outside the sandbox
    _host = None


class _Copies:
    """The copies in one call by the `id` of their values, and the characters left for the texts of objects."""

    def __init__(self):
        self.known, self.room = {}, _MOST_OF_OBJECTS


def call(function, args, kwargs):
    """Call the host function with this name, with copies of the arguments."""
    copies = _Copies()
    return _host(_str(function), _plain([*args], copies), _plain({**kwargs}, copies))


def _plain(value, copies, level=0):
    """Copy a value once: the copy shares what the value shares."""
    if _is_a(value, _AS_THEY_ARE):
        return value
    key = _id(value)
    if key not in copies.known:
        # with the value itself, because another value may get its id once it is gone
        copies.known[key] = (value, _copy(value, copies, level))
    return copies.known[key][1]


def _copy(value, copies, level):
    if level == _MOST_LEVELS:
        return _str(value)
    if _is_a(value, _dict):
        plain = {}
        for number, (name, item) in _enumerate(value.items(), 1):
            key = _str(name)
            while key in plain:  # a number and its text: keep both
                key = f"{key} ({number})"
            plain[key] = _plain(item, copies, level + 1)
        return plain
    if _is_a(value, _LISTED) or (_is_a(value, _range) and _len(value) <= _MOST_IN_RANGE):
        return [_plain(item, copies, level + 1) for item in value]
    return _text(value, copies, level)


def _text(value, copies, level):
    """Write a value of another kind: an object without a text of its own as its name and attributes."""
    text = _str(value)
    name, is_default, _ = text[1:].partition(" object at 0x")
    if not is_default:
        return text
    copies.known[_id(value)] = (value, "...")  # where its attributes hold the object itself
    parts = []
    for attribute in _rlm_attributes:
        if _hasattr(value, attribute):
            item = _getattr(value, attribute)
            plain = _plain(item, copies, level + 1)
            is_without_quotes = _is_a(plain, _str) and not _is_a(item, _str)  # the text of another object
            written = _cut(plain, copies.room) if is_without_quotes else _written(plain, copies.room)
            parts.append(f"{attribute}={written}")
            copies.room = _max(copies.room - _len(parts[-1]), 0)
    return f"{name}({', '.join(parts)})" if parts else text


def _written(plain, room):
    """Write a plain value as code, and stop once `room` characters are full: many objects may hold one long list."""
    if _is_a(plain, _str):
        return _repr(_cut(plain, room))
    if not _is_a(plain, (_list, _dict)):
        return _repr(plain)
    parts = []
    for item in plain:
        if room <= 0:
            parts.append("...")
            break
        part = _written(item, room)
        if _is_a(plain, _dict):
            part = f"{part}: {_written(plain[item], room)}"
        parts.append(part)
        room -= _len(part) + 2
    inner = ", ".join(parts)
    return f"{{{inner}}}" if _is_a(plain, _dict) else f"[{inner}]"


def _cut(text, room):
    return text if _len(text) <= room else text[:room] + "..."
