"""What rewritten code calls (`rlm_memory_core.rewriting`): small stand-ins for what the sandbox lacks."""

import asyncio
import json
import re
from datetime import date, timedelta

_MOST_YIELDS = 100_000


class Pair:
    """A function that asks sub-agents, and its twin that awaits them; called, it is the function."""

    def __init__(self, function, later):
        self.function, self.later = function, later

    def __call__(self, *args, **kwargs):
        return self.function(*args, **kwargs)


async def _together(pair, calls):
    return await asyncio.gather(*[pair.later(*args) for args in calls])


def mapped(function, *iterables):
    """`map` of a function that asks sub-agents: all calls in flight together where it is a pair."""
    calls = list(zip(*iterables))
    if hasattr(function, "later") and calls:
        return iter(asyncio.run(_together(function, calls)))
    return iter([function(*args) for args in calls])


def filtered(function, values):
    return iter([value for value in values if function(value)])


def sorted_by(values, *, key=None, reverse=False):
    """`sorted`, the keys worked out first: a sort cannot wait for the host."""
    values = list(values)
    keys = [key(value) for value in values]
    return [values[place] for place in sorted(range(len(values)), key=lambda place: keys[place], reverse=reverse)]


def sort_by(values, *args, key=None, reverse=False):
    values[:] = sorted_by(values, *args, key=key, reverse=reverse)


def min_by(*values, key=None, **default):
    return _first(values, key, False, default)


def max_by(*values, key=None, **default):
    return _first(values, key, True, default)


def _first(values, key, reverse, default):
    values = sorted_by(values[0] if len(values) == 1 else values, key=key, reverse=reverse)
    if values:
        return values[0]
    if "default" in default:
        return default["default"]
    raise ValueError("iterable argument is empty")


class Until:
    """The values of a generator expression, up to the one that settles what is asked of it (`lazy`)."""

    def __init__(self, settled):
        self.is_open = True
        self._settled = settled
        self._value = None

    def each(self, values):
        return _WhileOpen(self, iter(values))

    def see(self, value):
        if self._settled is None or bool(value) == self._settled:
            self.is_open, self._value = False, value

    def value(self, *default):
        if self._settled is not None:
            return self.is_open != self._settled
        if not self.is_open:
            return self._value
        if default:
            return default[0]
        raise StopIteration


class _WhileOpen:
    def __init__(self, until, values):
        self._until, self._values = until, values

    def __iter__(self):
        return self

    def __next__(self):
        if not self._until.is_open:
            raise StopIteration
        return next(self._values)


async def to_thread(function, *args, **kwargs):
    if hasattr(function, "later"):
        return await function.later(*args, **kwargs)
    return function(*args, **kwargs)


class Deleted:
    """What a deleted name holds: everything done with it is a NameError."""

    def __init__(self, name):
        self._name = name

    def _gone(self, *args, **kwargs):
        raise NameError(f"name '{self._name}' is not defined (it was deleted)")

    def __repr__(self):
        self._gone()

    def __str__(self):
        self._gone()

    def __iter__(self):
        self._gone()

    def __getitem__(self, key):
        self._gone()

    def __contains__(self, item):
        self._gone()

    def __call__(self, *args, **kwargs):
        self._gone()

    def __add__(self, other):
        self._gone()

    def __radd__(self, other):
        self._gone()

    def __eq__(self, other):
        self._gone()


def delete_item(container, key):
    """`del container[key]`."""
    if isinstance(key, slice):
        container[key] = []
    elif type(container).__name__ == "Counter" and key not in container:
        return
    elif type(container).__name__ == "deque":
        container.rotate(-key)
        container.popleft()
        container.rotate(key)
    else:
        container.pop(key)


def re_sub(pattern, repl, string, count=0, flags=0):
    if type(repl) is str:
        return re.sub(pattern, repl, string, count=count, flags=flags)
    compiled = re.compile(pattern, flags) if type(pattern) is str else pattern
    return pattern_sub(compiled, repl, string, count)


def pattern_sub(pattern, repl, string, count=0):
    """`pattern.sub` with a function."""
    parts, place = [], 0
    for number, match in enumerate(pattern.finditer(string)):
        if count and number >= count:
            break
        parts.append(string[place : match.start()])
        parts.append(repl(match))
        place = match.end()
    parts.append(string[place:])
    return "".join(parts)


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


def wraps(wrapped, *args, **kwargs):
    return lambda wrapper: wrapper


def fields(record):
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


def asdict(record):
    fields(record)
    return _plain(record, dict)


def astuple(record):
    fields(record)
    return _plain(record, lambda pairs: tuple(value for _, value in pairs))


def replace(record, **changes):
    fields(record)
    values = {name: getattr(record, name) for name in record.__dataclass_fields__}
    values.update(changes)
    return type(record)(**values)


def strptime(kind, text, form):
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


class _Loop:
    async def run_in_executor(self, executor, function, *args):
        return await to_thread(function, *args)


def event_loop():
    return _Loop()


def callable(value):
    return type(value).__name__ in _CALLABLE or hasattr(value, "__call__")


_CALLABLE = ("function", "builtin_function_or_method", "type", "method", "partial")


def issubclass(one, other):
    others = other if isinstance(other, tuple) else (other,)
    return one in others or object in others


def isocalendar(day):
    if hasattr(day, "isocalendar"):
        return day.isocalendar()
    day = date(day.year, day.month, day.day)
    thursday = _ordinal(day) - day.weekday() + 3
    year = (date(1, 1, 1) + timedelta(days=thursday - 1)).year
    return (year, (thursday - _ordinal(date(year, 1, 1))) // 7 + 1, day.weekday() + 1)


def toordinal(day):
    if hasattr(day, "toordinal"):
        return day.toordinal()
    return _ordinal(date(day.year, day.month, day.day))


def _ordinal(day):
    return (day - date(1, 1, 1)).days + 1


def maketrans(one, two=None, three=""):
    if two is None:
        return {ord(key) if isinstance(key, str) else key: value for key, value in one.items()}
    if len(one) != len(two):
        raise ValueError("the first two maketrans arguments must have equal length")
    table = {ord(a): ord(b) for a, b in zip(one, two)}
    table.update({ord(c): None for c in three})
    return table


def translate(text, *args, **kwargs):
    if not isinstance(text, str):
        return text.translate(*args, **kwargs)
    (table,) = args
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


class _Yields:
    def __init__(self):
        self.values = []

    def append(self, value):
        if len(self.values) >= _MOST_YIELDS:
            raise RuntimeError(
                f"a generator function runs to its end when it is called here, and this one gave {_MOST_YIELDS:,} "
                "values: give it an end, or write a loop"
            )
        self.values.append(value)

    def extend(self, values):
        for value in values:
            self.append(value)


class _Generator:
    """The values that a generator function gave, then the error that ended it."""

    def __init__(self, values, error):
        self._values, self._error, self._next = values, error, 0

    def __iter__(self):
        return self

    def __next__(self):
        if self._next < len(self._values):
            self._next += 1
            return self._values[self._next - 1]
        if self._error is not None:
            error, self._error = self._error, None
            raise error
        raise StopIteration

    def close(self):
        self._next, self._error = len(self._values), None


def generator(function):
    def call(*args, **kwargs):
        yields = _Yields()
        try:
            function(yields, *args, **kwargs)
        except Exception as error:
            return _Generator(yields.values, error)
        return _Generator(yields.values, None)

    return call
