# weight: 9
#=== spending by turn
from collections import defaultdict
import re
spend = defaultdict(float)
for t in history_turns:
    if t["role"] != "user":
        continue
    for amount in re.findall(r"\$(\d[\d,]*\.?\d*)", t["content"]):
        spend[t["turn_index"]] += float(amount.replace(",", "").rstrip("."))
for k, v in sorted(spend.items(), key=lambda x: x[1], reverse=True):
    print(k, v)
#=== cats by name
results = llm_query_parallel(sessions, session_dates, question)
cats = set()
for r in results:
    for name in ["Mochi", "Luna"]:
        if name in r:
            cats.add(name)
answer = f"{len(cats)} ({', '.join(sorted(cats))})"
print(answer)
#=== gaps between sessions
from datetime import datetime
def days_between(d1, d2):
    f = lambda s: datetime.strptime(s.split(" ")[0], "%Y/%m/%d")
    return abs((f(d2) - f(d1)).days)
for i in range(len(session_dates) - 1):
    print(session_dates[i], days_between(session_dates[i], session_dates[i+1]))
#=== json of one's own
import json
out = []
for s, d in zip(sessions, session_dates):
    raw = '{"date": "%s", "n": %d}' % (d, len(s))
    try:
        out.append(json.loads(raw))
    except json.JSONDecodeError as err:
        print("bad json", err)
print(json.dumps(out, indent=1))
#=== a timeline
timeline = sorted(zip(session_dates, sessions), key=lambda p: p[0])
for n, (d, s) in enumerate(timeline, 1):
    first_line = s.split("\n")[0]
    print(f"{n:>2}. {d:<25} {first_line[:60]}{'...' if len(first_line) > 60 else ''}")
#=== months in words
MONTHS = ["January", "February", "March", "April", "May", "June", "July"]
import re
pat = re.compile(r"\b(" + "|".join(MONTHS) + r")\s+(\d{1,2})(?:st|nd|rd|th)?", re.I)
for i, s in enumerate(sessions):
    for m in pat.finditer(s):
        print(i, m.group(0), MONTHS.index(m.group(1).title()) + 1, int(m.group(2)))
#=== a score of one's own
def score(text, terms):
    text = text.lower()
    return sum(text.count(t) for t in terms)
terms = question.lower().replace("?", "").split()
ranked = sorted(range(len(sessions)), key=lambda i: score(sessions[i], terms), reverse=True)
print(ranked, [score(sessions[i], terms) for i in ranked])
#=== words counted
from collections import Counter
c = Counter()
for s in sessions:
    c.update(w.strip(".,!?$:;") for w in s.lower().split() if len(w) > 3)
for w, n in c.most_common(5):
    print(f"{w:10s} {n}")
#=== events as a dataclass
from dataclasses import dataclass
from typing import Optional
@dataclass
class Event:
    name: str
    date: str
    cost: Optional[float] = None
    def label(self) -> str:
        return f"{self.name} on {self.date}" + (f" (${self.cost:.2f})" if self.cost else "")
events = [Event("basket", "2023/05/20", 45.5), Event("move", "2023/06/28")]
print("\n".join(e.label() for e in events), sum(e.cost or 0 for e in events))
#=== duplicates
seen, dup = set(), []
for t in history_turns:
    key = t["content"].strip().lower()[:20]
    (dup.append(key) if key in seen else seen.add(key))
print(len(seen), dup)
#=== ranking with k
try:
    order = rank_sessions(question, k=2)
    best = [(session_dates[i], sessions[i][:30]) for i in order]
    for d, t in best: print(d, "|", t)
except Exception as e:
    print("rank failed:", type(e).__name__, str(e))
#=== chunks of the context
chunks = [context[i:i+300] for i in range(0, len(context), 300)]
answers = [llm_query(f"Chunk {i}: {c}\nQ: {question}") for i, c in enumerate(chunks)]
good = [a for a in answers if "NOT_FOUND" not in a]
print(len(chunks), good)
#=== groups by operator
import itertools, operator
data = [("2023", 1), ("2023", 2), ("2024", 5)]
for year, grp in itertools.groupby(data, key=operator.itemgetter(0)):
    print(year, sum(map(operator.itemgetter(1), grp)))
#=== the week of a day
from datetime import date, timedelta
today = date(2024, 3, 10)
monday = today - timedelta(days=today.weekday())
print([str(monday + timedelta(n)) for n in range(7)], (today - date(2023, 5, 20)) // timedelta(weeks=1))
#=== a prompt by format
prompt = """Read the notes below.

{notes}

Question: {q}""".format(notes="\n---\n".join(sessions[:2]), q=question)
print(len(prompt) > 100, llm_query(prompt))
#=== newest fact wins
facts = {}
def remember(k, v, when):
    old = facts.get(k)
    if old is None or old[1] < when:
        facts[k] = (v, when)
remember("city", "Porto", "2022"); remember("city", "Lisbon", "2023/07/04"); remember("city", "Faro", "2021")
print(facts["city"][0], *facts.keys())
#=== spread of values
vals = [45.5, 1250.0, 900.0, 700.0]
mean = sum(vals) / len(vals)
var = sum((v - mean) ** 2 for v in vals) / len(vals)
print(f"{mean:.2f} {var ** 0.5:.2f}", sorted(vals)[len(vals)//2], max(vals) - min(vals))
#=== lines of the user
lines = [l for s in sessions for l in s.split("\n") if l.strip()]
user = list(filter(lambda l: "[user]" in l, lines))
print(len(lines), len(user), user[-1].split("]: ", 1)[1])
#=== ages
import re
def extract_age(text):
    m = re.search(r"(\d+)\s*(?:years?|yrs?)\s*old", text, flags=re.IGNORECASE)
    return int(m.group(1)) if m else None
ages = [a for a in map(extract_age, sessions) if a is not None]
print(ages, extract_age("I am 42 Years old"))
#=== a pool over tuples
from concurrent.futures import ThreadPoolExecutor
def process(args):
    idx, (s, d) = args
    r = llm_query(f"{d}\n{s}\n{question}")
    return {"idx": idx, "date": d, "reply": r}
with ThreadPoolExecutor(max_workers=min(32, len(sessions))) as ex:
    out = list(ex.map(process, enumerate(zip(sessions, session_dates))))
for o in sorted(out, key=lambda o: o["idx"]):
    print(o)
#=== a while with continue
i, n = 0, 0
while i < len(sessions):
    if "cat" not in sessions[i]:
        i += 1
        continue
    n += 1
    i += 1
print(n, end="\n\n")
#=== shares of a dict
w = {k: round(v / sum([1, 2, 3]), 3) for k, v in zip("abc", [1, 2, 3])}
print(w, max(w, key=lambda k: w[k]), list(w.values())[::-1], {**w, "d": 1}.keys() - w.keys())
#=== right and left
print("\n".join(f"{k!s:>6}: {v}" for k, v in sorted({1: "a", 10: "b"}.items())))
print("Total".ljust(12, ".") + f"{1234.5:,.2f}".rjust(12))
#=== a table of punctuation
import string
text = "I've 2 cats (Mochi & Luna)!"
table = str.maketrans({c: " " for c in string.punctuation})
print(text.translate(table).split(), [c for c in text if c in string.ascii_uppercase])
#=== first and last
first = next((i for i, s in enumerate(sessions) if "Lisbon" in s), None)
last = next((i for i in reversed(range(len(sessions))) if "cat" in sessions[i]), -1)
print(first, last, sessions[first][:12] if first is not None else "-")
#=== a partial prompt
from functools import partial
ask = partial(session_prompt, question="Who?")
print(ask(sessions[1])[:20], len(ask("x", date="2023")))
#=== a report with dots
def report(title, rows, *, width=30):
    print(title.upper())
    print("-" * width)
    for k, v in rows:
        print(f"{k}{'.' * (width - len(k) - len(str(v)))}{v}")
report("totals", [("cats", 2), ("spent", 1295.5)])
#=== places of a letter
text = sessions[0]
idx = [i for i in range(len(text)) if text.startswith("M", i)]
print(idx, text[idx[0]:idx[0]+5], text.lower().index("mochi"), text.rindex("."))
#=== gaps of times
from datetime import datetime
ts = sorted(datetime.strptime(d, "%Y/%m/%d (%a) %H:%M") for d in session_dates)
gaps = [b - a for a, b in zip(ts, ts[1:])]
print(max(gaps), sum(g.days for g in gaps), ts[0].strftime("%b %-d"), f"{ts[-1]:%Y-%m-%d}")
#=== an assertion that holds
assert isinstance(sessions, list) and len(sessions) == len(session_dates), "bad input"
print(sum(map(len, sessions)) // len(sessions), all(isinstance(t["turn_index"], int) for t in history_turns))
