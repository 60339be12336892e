"""`operator`: itemgetter, attrgetter, methodcaller, and the operators as functions."""


def itemgetter(*items):
    if len(items) == 1:
        return lambda value: value[items[0]]
    return lambda value: tuple(value[item] for item in items)


def _attribute(value, path):
    for name in path.split("."):
        value = getattr(value, name)
    return value


def attrgetter(*paths):
    if len(paths) == 1:
        return lambda value: _attribute(value, paths[0])
    return lambda value: tuple(_attribute(value, path) for path in paths)


def add(a, b):
    return a + b


def sub(a, b):
    return a - b


def mul(a, b):
    return a * b


def truediv(a, b):
    return a / b


def floordiv(a, b):
    return a // b


def mod(a, b):
    return a % b


def pow(a, b):
    return a**b


def neg(a):
    return -a


def eq(a, b):
    return a == b


def ne(a, b):
    return a != b


def lt(a, b):
    return a < b


def le(a, b):
    return a <= b


def gt(a, b):
    return a > b


def ge(a, b):
    return a >= b


def not_(a):
    return not a


def truth(a):
    return bool(a)


def contains(a, b):
    return b in a


def getitem(a, b):
    return a[b]


def and_(a, b):
    return a & b


def or_(a, b):
    return a | b


def xor(a, b):
    return a ^ b


def concat(a, b):
    return a + b
