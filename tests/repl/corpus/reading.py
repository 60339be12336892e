# weight: 20
#=== fan out and print what was found
results = llm_query_parallel(sessions, session_dates, question)
for i, (date, result) in enumerate(zip(session_dates, results)):
    if result != "NOT_FOUND":
        print(f"Session {i + 1} ({date}): {result}")
#=== findings as a list of pairs
findings = llm_query_parallel(sessions, session_dates, question)
relevant = [(d, f) for d, f in zip(session_dates, findings) if "NOT_FOUND" not in f]
print(len(relevant), "of", len(findings))
for d, f in relevant:
    print("-", d, "->", f)
#=== look at the size first
print(f"{len(sessions)} sessions, {len(history_turns)} turns, {len(context):,} characters")
print(session_dates[0], "to", session_dates[-1])
print(sessions[0][:80])
#=== loop with llm_query
answers = []
for i, s in enumerate(sessions):
    prompt = f"""Session date: {session_dates[i]}

{s}

Question: {question}
Reply NOT_FOUND if it is not there."""
    r = llm_query(prompt)
    if r.strip() != "NOT_FOUND":
        answers.append((i, session_dates[i], r))
print(answers)
#=== comprehension over sub-agents
replies = [llm_query(f"{q}\n\n{s}") for s in sessions for q in [question]]
print(replies)
#=== rank, then read the best
order = rank_sessions(question)
top = order[:3]
picked = [sessions[i] for i in top]
dates = [session_dates[i] for i in top]
found = llm_query_parallel(picked, dates, question)
for i, d, f in sorted(zip(top, dates, found)):
    print(i, d, f)
#=== search, then dedupe
hits = search_history("cat") + search_history("Mochi")
seen = set()
unique = []
for h in hits:
    if h["turn_index"] not in seen:
        seen.add(h["turn_index"])
        unique.append(h)
for h in unique:
    print(h["turn_index"], h["role"], h["content"][:100])
#=== combine findings in a last prompt
findings = llm_query_parallel(sessions, session_dates, question)
notes = "\n".join(f"[{d}] {f}" for d, f in zip(session_dates, findings) if f.strip().upper() != "NOT_FOUND")
print(notes)
final = llm_query(f"From these notes, answer: {question}\n\n{notes}")
print("Final:", final)
#=== newest first
results = llm_query_parallel(sessions, session_dates, "Which cats?")
dated = sorted(((d, r) for d, r in zip(session_dates, results) if r != "NOT_FOUND"), reverse=True)
latest_date, latest = dated[0]
print(latest_date, latest)
#=== only what the user said
user_turns = [t for t in history_turns if t["role"] == "user"]
for t in user_turns[:3]:
    print(f"[{t['turn_index']}] {t['content']}")
print(len(user_turns))
#=== split long sessions
chunks = []
size = 60
for s in sessions:
    for start in range(0, len(s), size):
        chunks.append(s[start:start + size])
print(len(chunks), [len(c) for c in chunks][:5])
#=== batches
batch_size = 2
out = []
for start in range(0, len(sessions), batch_size):
    batch = sessions[start:start + batch_size]
    batch_dates = session_dates[start:start + batch_size]
    out.extend(llm_query_parallel(batch, batch_dates, question))
print(out)
#=== keep findings by session
found = {}
for i, r in enumerate(llm_query_parallel(sessions, session_dates, question)):
    if r and "not_found" not in r.lower():
        found[i] = r
print(found)
for i in sorted(found, key=lambda i: session_dates[i], reverse=True):
    print(session_dates[i], found[i])
#=== keyword filter before asking
keywords = ["cat", "kitten", "pet"]
candidates = [i for i, s in enumerate(sessions) if any(k in s.lower() for k in keywords)]
print(candidates)
print(llm_query_parallel([sessions[i] for i in candidates], [session_dates[i] for i in candidates], question))
#=== context around a keyword
keyword = "bicycle"
for i, s in enumerate(sessions):
    pos = s.find(keyword)
    while pos != -1:
        print(i, "..." + s[max(0, pos - 20):pos + len(keyword) + 20].replace("\n", " ") + "...")
        pos = s.find(keyword, pos + 1)
#=== try and go on
for i, s in enumerate(sessions):
    try:
        r = llm_query(s)
        assert r
    except Exception as e:
        print(f"session {i} failed: {e}")
        continue
    print(i, r)
#=== recent turns
for turn in get_recent(3):
    print(turn["role"].upper() + ":", turn["content"])
#=== neighbours of a hit
for hit in search_history("Lisbon"):
    i = hit["turn_index"] - 1
    for t in history_turns[max(0, i - 1):i + 2]:
        print(t["turn_index"], t["content"][:40])
    print("-" * 20)
#=== a second question on what was found
q1 = "What are the names of the cats?"
first = llm_query_parallel(sessions, session_dates, q1)
names = set()
for r in first:
    if r.startswith("Found: "):
        names.update(n for n in r[len("Found: "):].split(", ") if n.isalpha())
print(sorted(names), len(names))
#=== the wrong kind of argument
try:
    llm_query_parallel(sessions[0], None, question)
except TypeError as e:
    print("TypeError:", e)
