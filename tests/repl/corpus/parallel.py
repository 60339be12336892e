# weight: 3
#=== a pool that maps llm_query
from concurrent.futures import ThreadPoolExecutor
prompts = [f"{question}\n{s}" for s in sessions]
with ThreadPoolExecutor(max_workers=8) as executor:
    results = list(executor.map(llm_query, prompts))
print(results)
#=== a pool that maps a helper
from concurrent.futures import ThreadPoolExecutor
def ask(i):
    reply = llm_query(f"{session_dates[i]}\n{sessions[i]}")
    return i, reply
with ThreadPoolExecutor() as pool:
    for i, reply in pool.map(ask, range(len(sessions))):
        print(i, reply)
#=== submit and as_completed
from concurrent.futures import ThreadPoolExecutor, as_completed
with ThreadPoolExecutor(max_workers=4) as ex:
    futures = {ex.submit(llm_query, s): i for i, s in enumerate(sessions)}
    found = {}
    for future in as_completed(futures):
        found[futures[future]] = future.result()
print([found[i] for i in sorted(found)])
#=== submit and result in order
import concurrent.futures
def read(session, date):
    try:
        return llm_query(session + date)
    except Exception as e:
        return f"ERROR: {e}"
with concurrent.futures.ThreadPoolExecutor(max_workers=10) as executor:
    futures = [executor.submit(read, s, d) for s, d in zip(sessions, session_dates)]
    results = [f.result() for f in futures]
print(results)
#=== map with two lists
from concurrent.futures import ThreadPoolExecutor
def ask(session, date):
    return f"{date[:4]} {llm_query(session)}"
with ThreadPoolExecutor(5) as ex:
    print(list(ex.map(ask, sessions, session_dates)))
#=== a pool over a lambda
from concurrent.futures import ThreadPoolExecutor
with ThreadPoolExecutor() as ex:
    print(list(ex.map(lambda s: llm_query("Q: " + s), sessions)))
#=== map of llm_query
print(list(map(llm_query, sessions)))
for i, r in enumerate(map(llm_query, sessions)):
    print(i, r)
#=== map of a lambda that asks
replies = list(map(lambda pair: llm_query(pair[0] + pair[1]), zip(sessions, session_dates)))
print(replies)
#=== asyncio and threads
import asyncio
async def ask(s):
    return await asyncio.to_thread(llm_query, s)
async def main():
    return await asyncio.gather(*[ask(s) for s in sessions])
print(asyncio.run(main()))
#=== asyncio with an executor
import asyncio
async def main():
    loop = asyncio.get_event_loop()
    return await asyncio.gather(*[loop.run_in_executor(None, llm_query, s) for s in sessions])
print(asyncio.run(main()))
#=== threads by hand
import threading
results = [None] * len(sessions)
lock = threading.Lock()
def work(i):
    reply = llm_query(sessions[i])
    with lock:
        results[i] = reply
threads = [threading.Thread(target=work, args=(i,)) for i in range(len(sessions))]
for t in threads:
    t.start()
for t in threads:
    t.join()
print(results)
#=== an error in a pool
from concurrent.futures import ThreadPoolExecutor
def ask(i):
    if i == 2:
        raise ValueError("session 2 is bad")
    return llm_query(sessions[i])
with ThreadPoolExecutor() as ex:
    futures = [ex.submit(ask, i) for i in range(4)]
    for f in futures:
        print(f.exception() or f.result())
#=== sorted by what sub-agents say
print(sorted(sessions, key=lambda s: llm_query(s))[0][:20])
#=== the first session that says so
if any("Luna" in llm_query(s) for s in sessions):
    print("there is a Luna")
found = next((s for s in sessions if llm_query(s) != "NOT_FOUND"), None)
print(found[:30], all(llm_query(s) for s in sessions))
#=== the reply that says so
if any((reply := llm_query(s)) != "NOT_FOUND" for s in sessions):
    print(reply)
#=== the longest reply
best = max(range(len(sessions)), key=lambda i: len(llm_query(sessions[i])))
print(best, list(filter(lambda s: "Luna" in llm_query(s), sessions))[0][:20])
#=== groups by what sub-agents say
from itertools import groupby
print([(key, len(list(group))) for key, group in groupby(sessions, key=lambda s: llm_query(s))])
#=== functions within functions, lambdas and other names that ask
from functools import partial
from itertools import dropwhile, starmap, takewhile
import heapq
says = lambda s: llm_query(s)
ask = llm_query
class Reader:
    def __init__(self, ask):
        self.ask = ask
    def read(self, s):
        return self.ask(s)[::-1]
if True:
    def length(s):
        return len(ask(s))
def order(items, by):
    return [s[:25] for s in sorted(items, key=by)]
def main():
    reader = Reader(says)
    def has(s, word="Luna"):
        return word in ask(s)
    print(any(has(s) for s in sessions), [s[:25] for s in filter(has, sessions)], order(sessions, reader.read))
    print(order(sessions, length), order(sessions, partial(llm_query)), max(sessions, key=lambda s: reader.read(s))[:25])
    print(len(list(takewhile(lambda s: not has(s), sessions))), len(list(dropwhile(has, sessions))))
main()
print(list(starmap(lambda a, b: ask(a + b), [("Lu", "na")])), heapq.nlargest(1, sessions, key=says)[0][:25])
print(any(map(says, sessions)), next(filter(length, sessions))[:25])
#=== a default that sub-agents say
from collections import defaultdict
replies = defaultdict(lambda: llm_query("Luna"))
print(replies["cat"])
#=== a lock that is taken twice
import threading
lock = threading.RLock()
def add(n):
    with lock:
        return n + (add(n - 1) if n else 0)
print(add(3), lock.acquire(), lock.acquire(blocking=False))
lock.release()
lock.release()
