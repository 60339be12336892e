# weight: 4
#=== deque
from collections import deque
window = deque(maxlen=2)
for t in history_turns[:4]:
    window.append(t["turn_index"])
print(window, list(window), window[0], len(window))
window.appendleft(9); window.rotate(1); print(window.popleft(), window)
#=== namedtuple
from collections import namedtuple
Event = namedtuple("Event", ["date", "what"])
e = Event("2023/05/20", what="adopted")
print(e, e.date, e[1], e._asdict(), e._replace(what="sold"), sorted([e, Event("2022", "x")])[0].what)
#=== nested defaultdict
from collections import defaultdict
d = defaultdict(lambda: defaultdict(int))
for role, word in [("user", "cat"), ("user", "cat"), ("assistant", "cat")]:
    d[role][word] += 1
print({k: dict(v) for k, v in d.items()}, "nobody" in d)
#=== groupby
from itertools import groupby
for year, group in groupby(session_dates, key=lambda d: d[:4]):
    print(year, len(list(group)))
#=== chain and islice
import itertools
print(list(itertools.chain([1], [2, 3])), list(itertools.islice(itertools.count(5), 3)), list(itertools.chain.from_iterable(["ab", "c"])))
#=== combinations and product
from itertools import combinations, permutations, product
print(list(combinations("abc", 2)), len(list(product([0, 1], repeat=3))), list(permutations([1, 2])))
#=== accumulate and pairwise
from itertools import accumulate, pairwise, zip_longest, takewhile, dropwhile
print(list(accumulate([1, 2, 3])), list(pairwise("abc")), list(zip_longest([1], "ab", fillvalue=0)), list(takewhile(lambda x: x < 3, [1, 2, 5, 1])))
#=== ordered dict
from collections import OrderedDict
od = OrderedDict()
od["b"] = 1
od["a"] = 2
for k, v in od.items():
    print(k, v)
#=== group sorted events
from itertools import groupby
from operator import itemgetter
rows = sorted([("cat", "Mochi"), ("dog", "Rex"), ("cat", "Luna")], key=itemgetter(0))
print({k: [name for _, name in g] for k, g in groupby(rows, key=itemgetter(0))})
#=== counting with count
from itertools import count, cycle, repeat
ids = count(1)
print([next(ids) for _ in range(3)], list(zip(cycle("ab"), range(3))), list(repeat("x", 2)))
