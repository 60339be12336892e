# weight: 1.5
#=== a small class
class Ledger:
    def __init__(self):
        self.items = []
    def add(self, name, price):
        self.items.append((name, price))
        return self
    def total(self):
        return sum(p for _, p in self.items)
    def __repr__(self):
        return f"Ledger({len(self.items)} items)"
ledger = Ledger().add("basket", 45.5).add("bowls", 12)
print(ledger, ledger.total(), ledger.items[0])
#=== a dataclass
from dataclasses import dataclass, field
@dataclass
class Fact:
    date: str
    text: str
    tags: list = field(default_factory=list)
facts = [Fact("2024/02/29", "sold bicycle"), Fact("2023/05/20", "adopted Mochi", ["cat"])]
for f in sorted(facts, key=lambda f: f.date):
    print(f, f.text.upper(), f == Fact("x", "y"))
#=== a dataclass as a dict
from dataclasses import dataclass, asdict
@dataclass
class Fact:
    date: str
    text: str
print(asdict(Fact("2023/05/20", "adopted Mochi")))
#=== an exception of one's own
class ParseError(Exception):
    pass
try:
    raise ParseError("no date")
except ParseError as e:
    print("ParseError:", e)
#=== a property
class Box:
    def __init__(self, w, h):
        self.w, self.h = w, h
    @property
    def area(self):
        return self.w * self.h
print(Box(2, 3).area)
#=== a static method
class Dates:
    @staticmethod
    def year(d):
        return int(d[:4])
print([Dates.year(d) for d in session_dates])
#=== operators of a class
class Money:
    def __init__(self, cents):
        self.cents = cents
    def __add__(self, other):
        return Money(self.cents + other.cents)
    def __eq__(self, other):
        return self.cents == other.cents
    def __str__(self):
        return f"${self.cents / 100:.2f}"
print(Money(4550) + Money(1200), Money(1) == Money(1))
#=== length of an object
class Memory:
    def __init__(self):
        self.d = {"a": 1}
    def __len__(self):
        return len(self.d)
    def __getitem__(self, k):
        return self.d[k]
m = Memory()
print(m["a"], len(m))
#=== a named tuple class
from typing import NamedTuple
class Event(NamedTuple):
    date: str
    what: str
print(Event("2023", "x"))
#=== inheritance
class Reader:
    def read(self, s):
        return llm_query(s)
class DatedReader(Reader):
    def read(self, s):
        return "[dated] " + super().read(s)
print(DatedReader().read(sessions[0]))
#=== an object's truth value
class Found:
    def __init__(self, reply):
        self.reply = reply
    def __bool__(self):
        return self.reply != "NOT_FOUND"
print(bool(Found("NOT_FOUND")), any(Found(llm_query(s)) for s in sessions[1:]))
#=== a sort of one's own
class Notes:
    def __init__(self, texts):
        self.texts = texts
    def sort(self, key=None):
        self.texts = sorted(self.texts, key=key)
        return self
print(Notes(["Luna", "Mochi"]).sort(key=lambda text: llm_query(text)[::-1]).texts)
#=== a class with a list of what sub-agents say
class Report:
    found = next((s for s in sessions if "Luna" in llm_query(s)), None)
    asked = [any("Luna" in llm_query(s) for s in sessions[:n]) for n in range(3)]
print(Report.found, Report.asked)
