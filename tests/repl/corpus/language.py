# weight: 1.5
#=== del of a variable and of items
big = ["x"] * 10
d = {"a": 1, "b": 2}
rows = [1, 2, 3, 4]
del big, d["a"]
del rows[0], rows[-1:]
print(d, rows)
#=== a deleted name is gone
tmp = 1
del tmp
try:
    print(tmp)
except NameError:
    print("gone")
#=== a generator function
def chunks(items, n):
    for i in range(0, len(items), n):
        yield items[i:i + n]
for chunk in chunks(sessions, 3):
    print(len(chunk))
print(list(chunks([1, 2, 3], 2)))
#=== a generator of sentences
import re
def sentences(texts):
    for t in texts:
        for s in re.split(r"(?<=[.!?])\s+", t):
            s = s.strip()
            if not s:
                continue
            yield len(s), s
print(max(sentences(sessions))[0], next(sentences(["One. Two."])))
#=== yield from
def flatten(x):
    for item in x:
        if isinstance(item, list):
            yield from flatten(item)
        else:
            yield item
print(list(flatten([1, [2, [3, 4]], 5])))
#=== a generator that asks
def replies():
    for s in sessions:
        yield llm_query(s)
for r in replies():
    if r != "NOT_FOUND":
        print(r)
        break
#=== an endless generator
def numbers():
    n = 0
    while True:
        yield n
        n += 1
g = numbers()
print(next(g), next(g), [x for x, _ in zip(g, range(3))])
#=== is a name there
if "cache" not in globals():
    cache = {}
cache["a"] = 1
print("cache" in globals(), "missing_name" in globals(), globals()["cache"])
#=== locals
def f():
    a = 1
    return sorted(locals())
print(f())
#=== eval of arithmetic
print(eval("2 + 3 * 4"), eval("len(sessions)"))
#=== exec
exec("z = 5")
print(z)
#=== conditional import
try:
    import statistics
    middle = statistics.median([1, 2, 3])
except ImportError:
    middle = sorted([1, 2, 3])[1]
print(middle)
#=== star import
from math import *
print(sqrt(16))
#=== input
name = input("Name? ")
print(name)
#=== exit
import sys
if not sessions:
    sys.exit("no sessions")
print("went on")
#=== chained and augmented
a = b = []
a += [1]
b.append(2)
x = y = 0
x |= 3
y -= 1
print(a, b, x, y, a is b)
#=== slices
xs = list(range(6))
xs[1:3] = ["a"]
print(xs, xs[::-1], xs[-2:], "abcdef"[1:5:2])
#=== with and a file
with open("notes.txt", "w") as f:
    f.write("x")
print(open("notes.txt").read())
