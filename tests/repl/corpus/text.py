# weight: 14
#=== amounts of money
import re
amounts = []
for s in sessions:
    for m in re.findall(r"\$([\d,]+(?:\.\d{2})?)", s):
        amounts.append(float(m.replace(",", "")))
print(amounts, sum(amounts))
#=== turns by a regular expression
import re
for m in re.finditer(r"\[Turn (\d+)\]\[(\w+)\]: (.*)", sessions[0]):
    print(m.group(1), m.group(2), m.group(3)[:30], m.start(), m.span(2))
#=== case does not matter
import re
pattern = re.compile(r"\b(cat|kitten|bicycle|bike)s?\b", re.IGNORECASE)
for i, s in enumerate(sessions):
    matches = pattern.findall(s)
    if matches:
        print(i, [m.lower() for m in matches], len(matches))
#=== search with a group
import re
m = re.search(r"called (\w+)", context)
print(m.group(1) if m else None)
if (m := re.search(r"email is (\S+@\S+\.\w+)", context)):
    print(m.group(1).rstrip(",."))
#=== named groups
import re
m = re.match(r"(?P<year>\d{4})/(?P<month>\d{2})/(?P<day>\d{2})", session_dates[0])
print(m.groupdict(), int(m["year"]) + 1)
#=== clean up
import re
text = "  Too   many \n\n spaces\t here  "
print(repr(re.sub(r"\s+", " ", text).strip()))
print(re.sub(r"[^\w\s]", "", "Hello, world! It's me."), re.sub(r"(\w+)@(\w+)", r"\2 at \1", "a@b"))
#=== replace by a function
import re
print(re.sub(r"\d+", lambda m: str(int(m.group()) * 2), "2 bowls, 12 km"))
def shout(match):
    return match.group(0).upper()
print(re.sub(r"\b[a-z]", shout, "red bicycle"))
#=== split
import re
print(re.split(r"[;,.]\s*", "a, b;c. d"), re.split(r"\n(?=\[Turn)", sessions[0])[1][:20])
sentences = re.split(r"(?<=[.!?])\s+", "One. Two! Three? Four")
print(sentences)
#=== many lines
import re
print(re.findall(r"^\[Turn (\d+)\]\[user\]", context, re.MULTILINE))
print(re.findall(r"<b>(.*?)</b>", "<b>one\ntwo</b> <b>x</b>", flags=re.S))
#=== lookaround and alternatives
import re
print(re.findall(r"(?<=\$)\d+", context), re.findall(r"\d+(?= km| years)", context))
print(bool(re.search(r"(?i)LISBON", context)), re.fullmatch(r"[A-Z]\w+", "Mochi") is not None)
#=== lines and prefixes
for line in sessions[0].splitlines():
    head, _, body = line.partition("]: ")
    if head.endswith("[user"):
        print(body.strip())
#=== strip, split, join
raw = "Found: Mochi, Luna ,  ;Kiwi"
names = [n.strip() for n in raw.split(":", 1)[1].replace(";", ",").split(",") if n.strip()]
print(names, " and ".join(names), ", ".join(sorted(names, key=str.lower)))
#=== string methods
s = "The Quick brown fox"
print(s.lower(), s.upper(), s.title(), s.swapcase(), s.count("o"), s.index("Quick"), s.rfind("o"), s.startswith(("The", "A")))
print(s.center(25, "*"), s.ljust(22, "."), s.zfill(22), "42".zfill(5), s.replace("o", "0", 1), s.split()[-1][::-1])
print("abc".isalpha(), "12".isdigit(), "a1".isalnum(), " ".isspace(), "x,y".partition(","), "a-b-c".rsplit("-", 1))
#=== words and their number
words = re.findall(r"[a-z']+", context.lower()) if "re" in globals() else context.lower().split()
print(len(words) > 50)
#=== emails and telephones
import re
text = "Mail bo@x.org or ann.b@mail.co.uk; call +351 912-345-678 or (02) 5550 1234."
print(re.findall(r"[\w.+-]+@[\w-]+\.[\w.-]*\w", text))
print(re.findall(r"\+?\d[\d\s-]{7,}\d", text))
#=== mapping strip and lower
parts = " Red ; GREEN;blue ".split(";")
print(list(map(str.strip, parts)), [p.strip().lower() for p in parts], sorted(parts, key=str.strip))
#=== translate punctuation away
import string
clean = "Hello, world! (yes)".translate(str.maketrans("", "", string.punctuation))
print(clean, "abc".translate(str.maketrans("ab", "xy")))
#=== words without stop words
stop = {"the", "a", "is", "i", "my", "for", "to"}
words = [w.strip(".,!?:;$").lower() for w in context.split()]
kept = [w for w in words if w and w not in stop and w.isalpha()]
print(kept[:12], len(set(kept)))
#=== containing any of
terms = ("sold", "bought", "adopted")
for t in history_turns:
    hits = [w for w in terms if w in t["content"].lower()]
    if hits:
        print(t["turn_index"], hits, t["content"].lower().find(hits[0]))
#=== escaped and compiled
import re
name = "Pet-World."
print(re.escape(name), bool(re.search(re.escape("Pet-World"), context)))
rx = re.compile(r"(\d{1,2}):(\d{2})\s*(am|pm)?", re.I)
print([m.groups() for m in rx.finditer(context)][:3], rx.search("at 10:30 AM").group(0), rx.sub("TIME", "at 10:30"))
#=== number words
numbers = {"one": 1, "two": 2, "second": 2, "three": 3}
total = 0
for word in "two cats and one dog".split():
    total += numbers.get(word, 0)
print(total)
#=== json in a reply
import json, re
reply = 'Sure! ```json\n{"pets": [{"name": "Mochi", "age": 3}], "ok": true}\n```'
m = re.search(r"\{.*\}", reply, re.DOTALL)
data = json.loads(m.group(0))
print(data["pets"][0]["name"], data["ok"])
print(json.dumps(data, indent=2))
#=== unicode
t = "Café naïve — “quoted” 日本 🙂"
print(t.encode("ascii", "ignore").decode(), len(t), t.lower(), t.casefold().count("é"))
