"""What is rewritten: the names that the sandbox lacks, or knows only when they are called at once."""

from __future__ import annotations

# what the sandbox's own modules lack, by module and name, with the helper that stands in
FUNCTIONS = {
    ("re", "sub"): "re_sub", ("re", "subn"): "re_subn", ("json", "dumps"): "json_dumps",
    ("functools", "wraps"): "wraps", ("asyncio", "to_thread"): "to_thread",
    ("asyncio", "get_event_loop"): "event_loop", ("asyncio", "get_running_loop"): "event_loop",
    ("dataclasses", "asdict"): "asdict", ("dataclasses", "astuple"): "astuple",
    ("dataclasses", "fields"): "fields", ("dataclasses", "replace"): "replace",
}  # fmt: skip
# methods that the sandbox's values lack; the helper has the method's name
METHODS = {"isocalendar", "toordinal", "translate", "strptime"}
# builtin functions that are missing
BUILTINS = {"callable", "issubclass"}
# whose methods are passed around as str.lower is
TYPES = frozenset("str list dict set int float tuple".split())
TAKES_FUNCTION = frozenset({"map", "filter"})
# builtins that cannot wait for a host function which they call; the helpers can
WAITING = {"map": "mapped", "filter": "filtered", "sorted": "sorted_by", "min": "min_by", "max": "max_by"}
WAITING_IMPORTED = {
    "itertools.takewhile": "taken_while", "itertools.dropwhile": "dropped_while", "itertools.starmap": "starmapped",
    "itertools.filterfalse": "filtered_out", "itertools.groupby": "grouped_by",
}  # fmt: skip
# what goes no further than is asked of it: of a call within a call
WAITING_EARLY = {
    ("any", "map"): "mapped_to_true", ("all", "map"): "mapped_to_false", ("next", "map"): "mapped_once",
    ("next", "filter"): "filtered_once",
}  # fmt: skip
# methods that the sandbox calls but does not pass around
BOUND = frozenset(
    "get lower upper strip lstrip rstrip title casefold count index find isdigit isalpha isalnum isspace startswith "
    "endswith split splitlines append add search match fullmatch findall keys values items total_seconds date "
    "weekday group capitalize".split()
)
POOL_METHODS = frozenset({"map", "submit"})
TAKES_ALL = frozenset(
    "sum max min any all list set tuple dict frozenset sorted enumerate zip Counter iter deque reversed "
    "mean median fsum prod join extend update fromkeys".split()
)  # of the values of a generator expression
