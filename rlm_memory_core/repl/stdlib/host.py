"""What rewritten code calls in the place of what calls a function of its own.

In the sandbox it is one module with `host_values`.
"""

import asyncio
import itertools
import json
import re

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
    return iter([value for value in values if (value if function is None else function(value))])


def filtered_out(function, values):
    return iter([value for value in values if not (value if function is None else function(value))])


def filtered_once(function, values):
    """`filter`, to its first value."""
    for value in values:
        if value if function is None else function(value):
            return iter([value])
    return iter([])


def mapped_once(function, *iterables):
    return _mapped_until(lambda value: True, function, iterables)


def mapped_to_true(function, *iterables):
    """`map`, to its first value that is true."""
    return _mapped_until(lambda value: value, function, iterables)


def mapped_to_false(function, *iterables):
    return _mapped_until(lambda value: not value, function, iterables)


def _mapped_until(settles, function, iterables):
    found = []
    is_one = len(iterables) == 1
    for values in iterables[0] if is_one else zip(*iterables):
        found.append(function(values) if is_one else function(*values))
        if settles(found[-1]):
            break
    return iter(found)


def starmapped(function, values):
    return iter([function(*arguments) for arguments in values])


def taken_while(function, values):
    taken = []
    for value in values:
        if not function(value):
            break
        taken.append(value)
    return iter(taken)


def dropped_while(function, values):
    values = iter(values)
    for value in values:
        if not function(value):
            return itertools.chain([value], values)
    return iter([])


def grouped_by(values, key=None):
    """`groupby`, all keys worked out first."""
    pairs = [(value if key is None else key(value), value) for value in values]
    groups = itertools.groupby(pairs, key=lambda pair: pair[0])
    return map(lambda group: (group[0], map(lambda pair: pair[1], group[1])), groups)  # noqa: C417  # one by one


def sorted_by(values, *, key=None, reverse=False):
    """`sorted`, the keys worked out first: a sort cannot wait for the host."""
    values = list(values)
    keys = values if key is None else [key(value) for value in values]
    return [values[place] for place in sorted(range(len(values)), key=lambda place: keys[place], reverse=reverse)]


def sort_by(values, *args, **kwargs):
    """`values.sort`, of a list or of an object of the program's own."""
    if args or not isinstance(values, list):
        return values.sort(*args, **kwargs)
    values[:] = sorted_by(values, **kwargs)


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
    return (max if reverse else min)([])  # its error


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


class _Loop:
    async def run_in_executor(self, executor, function, *args):
        return await to_thread(function, *args)


def event_loop():
    return _Loop()


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
