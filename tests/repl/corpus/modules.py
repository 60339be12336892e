# weight: 5
#=== statistics
import statistics
prices = [45.5, 1250.0, 900, 700]
print(statistics.mean(prices), statistics.median(prices), round(statistics.stdev(prices), 3), statistics.mode(["a", "b", "a"]))
#=== statistics of integers
from statistics import mean, median, pstdev, quantiles
print(mean([1, 2, 3]), mean([1, 2]), median([1, 3, 2]), median([1, 2]), pstdev([1, 2, 3, 4]), quantiles([1, 2, 3, 4, 5], n=4))
#=== math
import math
print(math.sqrt(16), math.floor(-1.5), math.ceil(1.2), math.pi, math.isclose(0.1 + 0.2, 0.3), math.log(math.e), math.comb(5, 2), math.inf)
#=== textwrap
import textwrap
text = "The history is not in this conversation: it lives in a Python REPL, and you reach it by writing well-formed code."
print(textwrap.fill(text, width=40))
print(textwrap.shorten(text, width=45, placeholder="..."), textwrap.wrap("a b c", 3))
#=== dedent and indent
from textwrap import dedent, indent
print(dedent("""
    Session:
      one
    """).strip())
print(indent("a\nb\n\nc", "> "))
#=== difflib
import difflib
print(difflib.SequenceMatcher(None, "bicycle", "bycicle").ratio(), difflib.get_close_matches("appel", ["ape", "apple", "peach", "puppy"]))
#=== similar names
from difflib import SequenceMatcher
names = ["Mochi", "mochi", "Mochy", "Luna"]
print([(a, b, round(SequenceMatcher(None, a.lower(), b.lower()).ratio(), 2)) for i, a in enumerate(names) for b in names[i + 1:]])
#=== string constants
import string
print(string.ascii_lowercase[:5], string.digits, len(string.punctuation), string.capwords("red bicycle"))
#=== reduce and partial
from functools import reduce, partial
print(reduce(lambda a, b: a + b, [1, 2, 3], 0), reduce(max, [3, 9, 2]), partial(round, ndigits=1)(2.345))
#=== lru_cache
from functools import lru_cache
@lru_cache(maxsize=None)
def fib(n):
    return n if n < 2 else fib(n - 1) + fib(n - 2)
print(fib(50))
#=== cmp_to_key
from functools import cmp_to_key
print(sorted(["b", "a", "c"], key=cmp_to_key(lambda a, b: (a < b) - (a > b))))
#=== operator
import operator
print(sorted([("a", 2), ("b", 1)], key=operator.itemgetter(1)), operator.add(2, 3), operator.itemgetter(1, 0)("ab"))
#=== heapq
import heapq
h = [5, 1, 4]
heapq.heapify(h)
heapq.heappush(h, 2)
print(heapq.heappop(h), heapq.nlargest(2, [3, 9, 4]), heapq.nsmallest(2, ["bb", "a", "ccc"], key=len), h)
#=== bisect
import bisect
dates = ["2023/05/20", "2023/06/01", "2024/02/29"]
print(bisect.bisect_left(dates, "2023/06/01"), bisect.bisect(dates, "2023/12/31"))
#=== copy
import copy
a = {"x": [1]}
b = copy.deepcopy(a)
b["x"].append(2)
print(a, b, copy.copy(a) is a)
#=== decimal
from decimal import Decimal
print(Decimal("0.1") + Decimal("0.2"), sum(map(Decimal, ["45.50", "700"])), Decimal("10") / 4)
#=== random with a seed
import random
random.seed(0)
picked = random.sample(range(4), 4)
print(sorted(picked), len(picked), 0 <= random.random() < 1)
#=== timing
import time
start = time.time()
results = llm_query_parallel(sessions, session_dates, question)
elapsed = time.time() - start
print(f"asked {len(results)} in less than a minute: {elapsed < 60}")
#=== csv by hand
import csv, io
writer = csv.writer(io.StringIO())
print("written")
#=== hashing
import hashlib
print(hashlib.md5("Mochi".encode()).hexdigest()[:8])
#=== unicodedata
import unicodedata
print(unicodedata.normalize("NFKD", "Café").encode("ascii", "ignore").decode())
#=== enum
from enum import Enum
class Role(Enum):
    USER = "user"
    ASSISTANT = "assistant"
print(Role.USER.value, Role("assistant"))
#=== numpy
import numpy as np
print(np.mean([1, 2, 3]))
#=== pandas
import pandas as pd
print(len(pd.DataFrame(history_turns)))
