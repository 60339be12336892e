"""What rewritten code calls where the sandbox's own functions cannot wait for a sub-agent.

In the sandbox it is one module with `host_values`.
"""

import asyncio
import itertools


class Pair:
    """A function that asks sub-agents, with its awaiting twin; called, it is the function."""

    def __init__(self, function, later):
        self.function, self.later = function, later

    def __call__(self, *args, **kwargs):
        return self.function(*args, **kwargs)


def later(function):
    """The awaiting twin of a function (`rlm_memory_core.repl.dialect.rewriter`), or None."""
    if hasattr(function, "later"):
        return function.later
    if type(function).__name__ != "function":
        return None
    name = name_of(function)
    try:
        return eval(f"_rlm_later_{name}") if eval(name) == function else None
    except Exception:
        return None


async def _together(twin, calls):
    return await asyncio.gather(*[twin(*args) for args in calls])


def map_by(function, *iterables):
    """`map` of a function that may ask sub-agents: at once if it has a twin."""
    calls = list(zip(*iterables))
    twin = later(function) if calls else None
    return iter([function(*args) for args in calls] if twin is None else asyncio.run(_together(twin, calls)))


def filter_by(function, values):
    return iter([value for value in values if (value if function is None else function(value))])


def itertools_filterfalse(function, values):
    return iter([value for value in values if not (value if function is None else function(value))])


def itertools_starmap(function, values):
    return iter([function(*arguments) for arguments in values])


def itertools_takewhile(function, values):
    taken = []
    for value in values:
        if not function(value):
            break
        taken.append(value)
    return iter(taken)


def itertools_dropwhile(function, values):
    values = iter(values)
    for value in values:
        if not function(value):
            return itertools.chain([value], values)
    return iter([])


def itertools_groupby(values, key=None):
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
    """The values of a generator expression, up to the one that settles `any`, `all` or `next`."""

    def __init__(self, name):
        self.name, self.is_open, self.value = name, True, None

    def each(self, values):
        return _WhileOpen(self, iter(values))

    def see(self, value):
        if self.name == "next" or bool(value) == (self.name == "any"):
            self.is_open, self.value = False, value


def settled(until, *default):
    """What `any`, `all` or `next` returns."""
    if until.name != "next":
        return until.is_open == (until.name == "all")
    if not until.is_open:
        return until.value
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


async def asyncio_to_thread(function, *args, **kwargs):
    twin = later(function)
    return function(*args, **kwargs) if twin is None else await twin(*args, **kwargs)


class _Loop:
    async def run_in_executor(self, executor, function, *args):
        return await asyncio_to_thread(function, *args)


def asyncio_get_event_loop():
    return _Loop()


asyncio_get_running_loop = asyncio_get_event_loop
