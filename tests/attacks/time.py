#=== an endless loop | stopped: time limit
while True:
    pass
#=== an endless loop that catches everything | stopped: time limit
while True:
    try:
        while True:
            x = 1
    except BaseException:
        continue


#=== an endless loop in a function that a sort calls | stopped: time limit
def forever(x):
    while True:
        x += 1


sorted([1, 2], key=forever)
#=== an endless iterator | stopped: limit
import itertools

list(itertools.count())
#=== a sum over an endless cycle | stopped: limit
import itertools

print(sum(itertools.cycle([1])))
#=== nested loops | stopped: time limit
n = 0
for a in range(10**6):
    for b in range(10**6):
        n += 1
#=== sleeping | harmless: awake
import time

time.sleep(10**6)
print("awake")
#=== a catastrophic regular expression | harmless: None
import re

print(re.match(r"(a+)+$", "a" * 5000 + "b"))
#=== another catastrophic regular expression | harmless: True
import re

print(re.search(r"(x+x+)+y", "x" * 3000) is None)
#=== backtracking with back references | stopped:
import re

re.match(r"(a*)*\1*(a*)*\2*$", "a" * 3000 + "b")
while True:
    pass
#=== replacing without end | stopped: limit
s = "ab"
while True:
    s = s.replace("a", "aa")
#=== a slow module of ours | stopped: time limit
import difflib

difflib.SequenceMatcher(None, "ab" * 20000, "ba" * 20000, autojunk=False).ratio()
#=== wrapping a very long text | stopped:
import textwrap

for _ in range(10**6):
    textwrap.wrap("word " * 100000)
#=== permutations of many | stopped: limit
import itertools

print(len(list(itertools.permutations(range(12)))))
#=== powers of powers | stopped:
x = 10**10**8
print(len(str(x)))
#=== shifts | stopped:
x = 1 << 10**12
#=== a factorial | stopped:
import math

print(math.factorial(10**8))
#=== a huge integer as text | stopped:
print(10**100000)
#=== a huge integer as the answer | harmless:
FINAL(10**4000 * 7)
#=== a huge text as an integer | stopped:
int("9" * 10**6)


#=== a generator without end | stopped: Instead
def forever():
    while True:
        yield 1


list(forever())


#=== a generator that seems to end | stopped:
def forever(n):
    i = 0
    while i < n:
        yield i


list(forever(1))
#=== functions that call one another twice, to be rewritten | harmless: rewritten
exec("\n".join(["def f0(): pass"]))
def f1(): f0(); f0()
def f2(): f1(); f1()
def f3(): f2(); f2()
def f4(): f3(); f3()
def f5(): f4(); f4()
def f6(): f5(); f5()
def f7(): f6(); f6()
def f8(): f7(); f7()
def f9(): f8(); f8(); f9(); f1()
list(map(f0, []))
print("rewritten")
