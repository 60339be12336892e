# weight: 9
#=== a helper with defaults
def ask(session, date=None, *, question="Which cats?"):
    """Ask one sub-agent."""
    prompt = f"[{date}] {session}\n{question}" if date else session
    return llm_query(prompt).strip()
for s, d in zip(sessions, session_dates):
    print(ask(s, date=d))
#=== lambda and map
double = lambda x: x * 2
print(list(map(double, [1, 2])), list(filter(lambda n: n % 2, range(6))), sorted(["bb", "a"], key=len))
#=== closures
def counter():
    n = 0
    def add(k=1):
        nonlocal n
        n += k
        return n
    return add
c = counter()
c(); c(5)
print(c())
#=== star arguments
def show(*args, **kwargs):
    print(args, kwargs)
show(1, *[2, 3], a=4, **{"b": 5})
first, *middle, last = [1, 2, 3, 4]
print(first, middle, last, [*middle, 9], {**{"a": 1}, "b": 2})
#=== try, except, else, finally
def number(text):
    try:
        value = float(text.replace(",", ""))
    except (ValueError, AttributeError) as e:
        print("bad:", type(e).__name__, e)
        return None
    else:
        return value
    finally:
        print("done", text)
print(number("1,250.5"), number("x"), number(None))
#=== raising
def check(n):
    if n < 0:
        raise ValueError(f"negative: {n}")
    return n
try:
    check(-1)
except ValueError as e:
    print("caught", e, repr(e))
#=== while with break
tries = 0
while True:
    tries += 1
    if tries >= 3:
        break
else:
    print("never")
print(tries)
#=== for and else
for t in history_turns:
    if "giraffe" in t["content"]:
        print("found")
        break
else:
    print("no giraffe")
#=== recursion
def depth(x):
    return 1 + max(map(depth, x), default=0) if isinstance(x, list) else 0
print(depth([1, [2, [3]]]))
#=== annotations
from typing import Any, Dict, List, Optional, Tuple
def top(items: List[Tuple[str, int]], k: int = 2) -> Optional[Dict[str, Any]]:
    best: Dict[str, Any] = dict(sorted(items, key=lambda x: -x[1])[:k])
    return best or None
print(top([("a", 1), ("b", 3), ("c", 2)]), top([]))
#=== walrus
while (n := len(history_turns)) > 5 and n % 2:
    break
if (hits := search_history("Luna")):
    print(len(hits), [y for x in range(5) if (y := x * x) > 3])
#=== a generator expression
print(sum(len(s) for s in sessions) > 100, next((t["turn_index"] for t in history_turns if "Luna" in t["content"]), None))
print(max((len(s), i) for i, s in enumerate(sessions))[1], ", ".join(d[:4] for d in session_dates))
#=== globals changed
total = 0
def add(n):
    global total
    total += n
for n in (1, 2, 3):
    add(n)
print(total)
#=== match
def kind(x):
    match x:
        case {"role": role, "content": str(text)}:
            return f"turn of {role}, {len(text) > 0}"
        case [a, b]:
            return f"pair {a} {b}"
        case int() | float():
            return "number"
        case _:
            return "other"
print(kind(history_turns[0]), kind([1, 2]), kind(2.5), kind(None))
#=== assertion
try:
    assert len(sessions) == 0, "there are sessions"
except AssertionError as e:
    print(e)
#=== names of errors
for bad in ("[][1]", "{}['k']", "1/0", "int('x')", "None.upper()", "'a' + 1", "undefined_name"):
    try:
        eval(bad)
    except Exception as e:
        print(type(e).__name__, e)
#=== the name of a function
def scan(): pass
print(scan.__name__, callable(scan), callable(3))
#=== a cache by hand
cache = {}
def cached(q):
    if q not in cache:
        cache[q] = llm_query(q)
    return cache[q]
print(cached("Mochi"), cached("Mochi"), len(cache))
#=== names of the program's own
def check(any, replies):
    return any(llm_query(s) == "NOT_FOUND" for s in replies)
def first(sessions, next=list):
    return next(llm_query(s) for s in sessions)
print(check(list, sessions), first(sessions))
#=== a key or none
def ordered(items, ask=True):
    return sorted(items, key=llm_query if ask else None)
print(ordered(["b", "Luna"]), ordered(["b", "a"], ask=False), list(filter(llm_query if not sessions else None, ["", 1])))
