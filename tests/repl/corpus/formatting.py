# weight: 8
#=== sep and end
print("a", "b", sep=" | ", end="!\n")
print(*["x", "y", "z"], sep="\n")
print("no newline", end=""); print(" here", flush=True)
#=== rules and headings
print("=" * 40)
print("RESULTS".center(40))
print("-" * 40, "\n")
#=== widths
for name, n in (("Mochi", 3), ("Luna", 12)):
    print(f"{name:<10}|{n:>5}|{n:05d}|{n:^7}|{n / 7:.3f}|{n:+}")
#=== thousands and percent
n = 1234567.891
print(f"{n:,.2f} {n:.0f} {n:e} {0.256:.1%} {255:x} {255:b} {int(n):_}")
#=== debugging
x, names = 3, ["a"]
print(f"{x=} {names=} {x!r} {'q'!r:>5} {names!s}")
#=== nested in a format
width, prec = 10, 2
print(f"{3.14159:{width}.{prec}f}|{'left':{width}}|{{braces}}|{'yes' if x_ok else 'no'}" if (x_ok := True) else "")
#=== percent and format
print("%s is %d years (%.1f%%) %5s|%-5s|" % ("Mochi", 3, 12.345, "r", "l"))
print("{} {0!r}".format("a") if False else "{0} {1} {0} {name:>6}".format("a", "b", name="c"))
#=== reprs
print([1, "a", None, True, 2.0, (1,), {"k": [1]}, {3}], ("x",), {}, [], set(), "it's", 'say "hi"')
#=== escapes
print("tab\there\\n 'single' \"double\" \u00e9")
print(r"raw\n", b"bytes", "a" "b", """two
lines""")
#=== floats
print(0.1 + 0.2, 1e16, 1e-7, 1 / 3, 2.0, -0.0, 1e300 * 10, 100.0 * 1.1, float("nan"))
#=== long line
text = "word " * 30
print(text[:50] + ("..." if len(text) > 50 else ""))
#=== table from dicts
rows = [{"date": "2023/05/20", "fact": "cat"}, {"date": "2023/06/01", "fact": "bicycle"}]
header = rows[0].keys()
print(" | ".join(header))
for row in rows:
    print(" | ".join(str(row[h]) for h in header))
#=== types
print(type([]), type("").__name__, type(1.5), type(None), isinstance(3, (int, float)), type({}) == dict)
#=== booleans
print(True and "x", None or "default", not [], 1 < 2 < 3, 3 if False else 4, None is None, "a" in "abc", 2 not in [1])
#=== pprint
from pprint import pprint
pprint({"b": 1, "a": [1, 2, 3]})
pprint([{"turn_index": i, "role": "user", "content": "some words that make it long"} for i in range(2)])
#=== to json
import json
print(json.dumps({"name": "Zoë", "n": [1, 2.5, None]}, ensure_ascii=False), json.dumps([1, 2], indent=None, separators=(",", ":")))
print(json.dumps(history_turns[:2], indent=2)[:120])
#=== to json what is not json
import json
from datetime import date
print(json.dumps({"when": date(2023, 5, 20)}, default=str))
#=== to standard error
import sys
print("progress", file=sys.stdout)
