# weight: 14
#=== most common
from collections import Counter
words = Counter(w for t in history_turns for w in t["content"].lower().split())
print(words.most_common(3), sum(words.values()), words["cat"])
#=== sum of a field
purchases = [{"item": "basket", "price": 45.5}, {"item": "bicycle", "price": 1250.0}, {"item": "bowls", "price": 12}]
total = sum(p["price"] for p in purchases)
print(f"Total: ${total:,.2f}", max(purchases, key=lambda p: p["price"])["item"])
#=== group by
from collections import defaultdict
groups = defaultdict(list)
for item, kind in [("Mochi", "cat"), ("Rex", "dog"), ("Luna", "cat")]:
    groups[kind].append(item)
for kind, names in sorted(groups.items()):
    print(f"{kind}: {len(names)} ({', '.join(names)})")
print(dict(groups), groups)
#=== count by role
counts = {}
for t in history_turns:
    counts[t["role"]] = counts.get(t["role"], 0) + 1
print(counts, max(counts, key=counts.get), sorted(counts.items(), key=lambda kv: -kv[1]))
#=== unique in order
items = ["b", "a", "b", "c", "a"]
print(list(dict.fromkeys(items)), sorted(set(items)), len(set(items)))
#=== average
ages = [3, 5, 8]
print(sum(ages) / len(ages), round(sum(ages) / len(ages), 2), min(ages), max(ages), f"{sum(ages)/len(ages):.1f}")
#=== running total
balance = 0
for kind, amount in [("in", 100.0), ("out", 45.5), ("out", 20)]:
    balance += amount if kind == "in" else -amount
    print(f"{kind:<4}{amount:>8.2f}{balance:>10.2f}")
#=== sort by two keys
rows = [("Luna", 2), ("Mochi", 3), ("Kiwi", 3), ("Ada", 1)]
print(sorted(rows, key=lambda r: (-r[1], r[0])))
rows.sort(key=lambda r: r[1], reverse=True)
print(rows, rows[0][0])
#=== top of a dict
scores = {"s1": 0.2, "s2": 0.9, "s3": 0.5}
best = sorted(scores, key=scores.get, reverse=True)[:2]
print(best, max(scores.items(), key=lambda kv: kv[1]), min(scores, key=scores.get))
#=== nested dicts
stats = {}
for i, s in enumerate(sessions):
    stats.setdefault(session_dates[i][:4], {"n": 0, "chars": 0})
    stats[session_dates[i][:4]]["n"] += 1
    stats[session_dates[i][:4]]["chars"] += len(s)
print(stats)
#=== set arithmetic
before, after = {"Mochi", "bicycle"}, {"Mochi", "Luna"}
print(sorted(after - before), sorted(before & after), sorted(before | after), before ^ after == {"bicycle", "Luna"}, after >= {"Luna"})
#=== percentage
yes = sum(1 for t in history_turns if "cat" in t["content"].lower())
print(f"{yes}/{len(history_turns)} = {yes / len(history_turns):.1%}")
#=== any and all
print(any("Lisbon" in s for s in sessions), all(len(s) > 10 for s in sessions), sum("cat" in s for s in sessions))
#=== count with a condition
n = len([t for t in history_turns if t["role"] == "user" and "$" in t["content"]])
positions = [i for i, t in enumerate(history_turns) if "cat" in t["content"]]
print(n, positions)
#=== counter arithmetic
from collections import Counter
a, b = Counter("aabbb"), Counter("abc")
print(a + b, a - b, a & b, a | b, sorted(a.elements()), a.total())
a.update("zz")
a.subtract({"b": 1})
print(a.most_common(), +a == a, list(a), dict(a))
#=== matrix of pairs
pairs = [(x, y) for i, x in enumerate("abc") for y in "abc"[i + 1:]]
print(pairs, len(pairs))
#=== dict and list comprehension
by_index = {t["turn_index"]: t for t in history_turns}
lengths = {k: len(v["content"]) for k, v in by_index.items() if k % 2}
inverted = {v: k for k, v in lengths.items()}
print(lengths, inverted[max(inverted)])
#=== flatten
nested = [[1, 2], [3], []]
print([x for sub in nested for x in sub], sum(nested, []), max(len(x) for x in nested))
#=== zip and unzip
pairs = list(zip(session_dates, [len(s) for s in sessions]))
dates, sizes = zip(*pairs)
print(sizes, dates[0], list(reversed(sizes)), sorted(range(len(sizes)), key=lambda i: sizes[i]))
#=== latest value wins
facts = [("bike", "owned", "2023/06/01"), ("cats", "1", "2023/05/20"), ("cats", "2", "2024/02/29"), ("bike", "sold", "2024/02/29")]
state = {}
for key, value, date in sorted(facts, key=lambda f: f[2]):
    state[key] = value
print(state)
#=== integer things
print(7 // 2, -7 // 2, 7 % 3, divmod(17, 5), 2 ** 10, abs(-3), round(2.5), round(3.14159, 2), int("42") + int(3.9), float("1.5"), 10 / 4)
#=== bounds
values = [3, 1, 2]
print(sorted(values), values[-1], values[:2], max(values, default=0), min([], default="none"), sum(values[1:]), sorted(values)[len(values) // 2])
