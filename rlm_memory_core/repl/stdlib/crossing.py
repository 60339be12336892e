"""How arguments cross to the host: as plain values, so that no value can freeze the host or fill its memory.

In the host, hashing a nested tuple may take for ever, and code can choose thousands of numbers that have the same hash.
So sets cross as lists, and the keys of dicts as text.
"""

from collections import deque
from datetime import date, timedelta

# under other names, because code may give new values to the names of built-in functions
_str, _len, _id, _dict, _range, _is_a, _enumerate = str, len, id, dict, range, isinstance, enumerate
_AS_THEY_ARE = (str, int, float, date, timedelta, type(None))
_LISTED = (list, tuple, set, frozenset, deque)
_MOST_LEVELS = 100  # what is nested deeper crosses as text
_MOST_IN_RANGE = 100_000
try:
    _host = _rlm_call_host  # given to the sandbox when a session starts
except NameError:  # outside the sandbox
    _host = None


def call(function, args, kwargs):
    """Call the host function with this name, with copies of the arguments."""
    copies = {}
    return _host(_str(function), _plain([*args], copies), _plain({**kwargs}, copies))


def _plain(value, copies, level=0):
    """Copy a value once: the copy shares what the value shares."""
    if _is_a(value, _AS_THEY_ARE):
        return value
    key = _id(value)
    if key not in copies:
        # with the value itself, because another value may get its id once it is gone
        copies[key] = (value, _copy(value, copies, level))
    return copies[key][1]


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
    return _str(value)
