"""`pprint`: what fits the width on one line, else one item a line; long strings are not broken."""


def pformat(object, indent=1, width=80, depth=None, *, compact=False, sort_dicts=True, underscore_numbers=False):
    return _lines(object, indent, width, 0, 0, sort_dicts)


def pprint(object, stream=None, indent=1, width=80, depth=None, *, compact=False, sort_dicts=True):
    print(pformat(object, indent, width, depth, compact=compact, sort_dicts=sort_dicts))


def pp(object, *args, **options):
    print(pformat(object, *args, sort_dicts=options.pop("sort_dicts", False), **options))


def _sorted(value, sort_dicts):
    """The value with its dicts in the order of their keys."""
    if type(value) is dict:
        keys = list(value)
        if sort_dicts:
            try:
                keys = sorted(keys)
            except TypeError:
                keys = sorted(keys, key=lambda key: (type(key).__name__, str(key)))
        return {key: _sorted(value[key], sort_dicts) for key in keys}
    if type(value) is list:
        return [_sorted(item, sort_dicts) for item in value]
    if type(value) is tuple:
        return tuple(_sorted(item, sort_dicts) for item in value)
    return value


def _lines(value, indent, width, at, after, sort_dicts):
    value = _sorted(value, sort_dicts)
    text = repr(value)
    if len(text) + at + after <= width or type(value) not in (dict, list, tuple) or not value:
        return text
    opening, closing = {"dict": "{}", "list": "[]", "tuple": "()"}[type(value).__name__]
    start = " " * (at + indent)
    parts = []
    items = list(value.items()) if type(value) is dict else [(None, item) for item in value]
    for number, (key, item) in enumerate(items):
        label = repr(key) + ": " if type(value) is dict else ""
        room = after + 1 if number == len(items) - 1 else 1
        parts.append(label + _lines(item, indent, width, at + indent + len(label), room, sort_dicts))
    end = ",)" if type(value) is tuple and len(value) == 1 else closing
    return opening + " " * (indent - 1) + (",\n" + start).join(parts) + end
