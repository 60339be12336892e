"""What rewritten code calls in place of functions and methods that the sandbox's modules and values lack.

In the sandbox it is one module with `host`.
"""

import json
import re
from datetime import date, timedelta


def method(value, name):
    """`value.name` to be called: ours where the sandbox has none, or one that cannot wait for a sub-agent."""
    kind = type(value).__name__
    if kind == "date" or kind == "datetime":
        kind = "date"
    ours = _METHODS.get((kind, name))
    if ours is None:
        return getattr(value, name)
    return lambda *args, **kwargs: ours(value, *args, **kwargs)


def name_of(value):
    """`value.__name__`, also of a function."""
    if type(value).__name__ == "function":
        return repr(value).split("'")[1]
    return value.__name__


def dataclasses_fields(record):
    if not hasattr(record, "__dataclass_fields__"):
        raise TypeError("must be called with a dataclass type or instance")
    return tuple(record.__dataclass_fields__.values())


def _plain(value, make):
    if hasattr(value, "__dataclass_fields__") and type(value).__name__ != "type":
        return make([(name, _plain(getattr(value, name), make)) for name in value.__dataclass_fields__])
    if isinstance(value, (list, tuple)):
        return type(value)([_plain(item, make) for item in value])
    if isinstance(value, dict):
        return {key: _plain(item, make) for key, item in value.items()}
    return value


def dataclasses_asdict(record):
    dataclasses_fields(record)
    return _plain(record, dict)


def dataclasses_astuple(record):
    dataclasses_fields(record)
    return _plain(record, lambda pairs: tuple(value for _, value in pairs))


def dataclasses_replace(record, **changes):
    dataclasses_fields(record)
    values = {name: getattr(record, name) for name in record.__dataclass_fields__}
    values.update(changes)
    return type(record)(**values)


def _strptime(kind, text, form):
    """`datetime.strptime`, of parts of a date too: what is missing is that of 1900-01-01."""
    try:
        return kind.strptime(text, form)
    except ValueError:
        has = [any(code in form for code in codes) for codes in _DATE_CODES]
        if all(has):
            raise
        missing = [part for part, there in zip(("%Y=1900", "%m=1", "%d=1"), has) if not there]
        codes = " ".join(part[:2] for part in missing)
        values = " ".join(part[3:] for part in missing)
        try:
            return kind.strptime(f"{values} {text}", f"{codes} {form}")
        except ValueError:
            pass
        raise


_DATE_CODES = (("%Y", "%y", "%c", "%x"), ("%m", "%b", "%B", "%j", "%c", "%x"), ("%d", "%j", "%c", "%x"))


def callable(value):
    return type(value).__name__ in _CALLABLE or hasattr(value, "__call__")


_CALLABLE = ("function", "builtin_function_or_method", "type", "method", "partial")


def issubclass(one, other):
    others = other if isinstance(other, tuple) else (other,)
    return one in others or object in others


def _isocalendar(day):
    day = date(day.year, day.month, day.day)
    thursday = _ordinal(day) - day.weekday() + 3
    year = (date(1, 1, 1) + timedelta(days=thursday - 1)).year
    return (year, (thursday - _ordinal(date(year, 1, 1))) // 7 + 1, day.weekday() + 1)


def _toordinal(day):
    return _ordinal(date(day.year, day.month, day.day))


def _ordinal(day):
    return (day - date(1, 1, 1)).days + 1


def _maketrans(kind, one, two=None, three=""):
    if two is None:
        return {ord(key) if isinstance(key, str) else key: value for key, value in one.items()}
    if len(one) != len(two):
        raise ValueError("the first two maketrans arguments must have equal length")
    table = {ord(a): ord(b) for a, b in zip(one, two)}
    table.update({ord(c): None for c in three})
    return table


def _translate(text, table):
    parts = []
    for c in text:
        to = table.get(ord(c), c)
        parts.append("" if to is None else chr(to) if isinstance(to, int) else to)
    return "".join(parts)


def names(candidates):
    """`globals()`, of the names that the session's programs bound."""
    found = {}
    for name in candidates:
        try:
            found[name] = eval(name)
        except NameError:
            continue
    return found


def re_sub(pattern, repl, string, count=0, flags=0):
    if type(repl) is str:
        return re.sub(pattern, repl, string, count=count, flags=flags)
    return _pattern_sub(re.compile(pattern, flags) if type(pattern) is str else pattern, repl, string, count)


def _pattern_sub(pattern, repl, string, count=0):
    if type(repl) is str:
        return pattern.sub(repl, string, count)
    parts, place = [], 0
    for number, match in enumerate(pattern.finditer(string)):
        if count and number >= count:
            break
        parts += [string[place : match.start()], repl(match)]
        place = match.end()
    return "".join([*parts, string[place:]])


def re_subn(pattern, repl, string, count=0, flags=0):
    found = len(re.findall(pattern, string, flags))
    return (re_sub(pattern, repl, string, count, flags), min(found, count) if count else found)


def json_dumps(value, *, default=None, **options):
    return json.dumps(value if default is None else _jsonable(value, default), **options)


def _jsonable(value, default):
    if value is None or isinstance(value, (str, int, float)):
        return value
    if isinstance(value, (list, tuple)):
        return [_jsonable(item, default) for item in value]
    if isinstance(value, dict):
        return {key: _jsonable(item, default) for key, item in value.items()}
    return _jsonable(default(value), default)


def functools_wraps(wrapped, *args, **kwargs):
    return lambda wrapper: wrapper


_METHODS = {
    ("str", "translate"): _translate,
    ("type", "maketrans"): _maketrans,
    ("type", "strptime"): _strptime,
    ("list", "sort"): lambda values, **options: sort_by(values, **options),
    ("Pattern", "sub"): _pattern_sub,
    ("date", "isocalendar"): _isocalendar,
    ("date", "toordinal"): _toordinal,
}
