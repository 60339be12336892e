"""The REPL's names as the corpus finds them, the same for CPython and for the sandbox."""

SESSIONS = [
    ("2023/05/20 (Sat) 02:21", [("user", "I adopted a cat called Mochi last Tuesday, and paid $45.50 for the basket."),
                                ("assistant", "Lovely! How old is Mochi?"),
                                ("user", "She is 3 years old. I also bought 2 bowls at Pet-World.")]),
    ("2023/06/01 (Thu) 10:00", [("user", "I bought a red bicycle for $1,250.00; my commute is 12 km now."),
                                ("assistant", "Enjoy the ride. Wear a helmet!")]),
    ("2023/07/04 (Tue) 18:30", [("user", "I moved to Lisbon on June 28th. The flat costs $900 a month."),
                                ("assistant", "Noted: Lisbon, 28 June."),
                                ("user", "My sister's email is ana.silva@example.com, call her at 10:30 am.")]),
    ("2024/02/29 (Thu) 09:15", [("user", "Update: I sold the bicycle for $700 and adopted a second cat, Luna."),
                                ("assistant", "Two cats now: Mochi and Luna.")]),
]  # fmt: skip


def values():
    turns, texts = [], []
    for _, said in SESSIONS:
        lines = []
        for role, content in said:
            turns.append({"turn_index": len(turns) + 1, "role": role, "content": content})
            lines.append(f"[Turn {len(turns)}][{role}]: {content}")
        texts.append("\n".join(lines))
    dates = [date for date, _ in SESSIONS]
    whole = "\n".join(f"[--- Session {i} | {d} ---]\n{t}" for i, (d, t) in enumerate(zip(dates, texts), 1))
    return {
        "question": "How many cats do I have?", "question_date": "2024/03/10 (Sun) 12:00", "sessions": texts,
        "session_dates": dates, "history_turns": turns, "context": whole,
    }  # fmt: skip


def llm_query(prompt):
    """A sub-agent that finds cats and money."""
    found = [word for word in ("Mochi", "Luna", "$45.50", "$700", "Lisbon") if word in prompt]
    return "Found: " + ", ".join(found) if found else "NOT_FOUND"


def llm_query_parallel(sessions, session_dates=None, question=None):
    if isinstance(sessions, str):
        raise TypeError("llm_query_parallel takes a list of session texts first, such as `sessions`")
    return [llm_query(session) for session in sessions]


def search_history(keyword):
    return [turn for turn in values()["history_turns"] if keyword.lower() in turn["content"].lower()]


def get_recent(n):
    return values()["history_turns"][-n:]


def rank_sessions(question=None, k=None):
    return [3, 0, 2, 1][:k]


def session_prompt(session, date=None, question=None):
    return f"<session>\n{session}\n</session>\n{question}"


def functions():
    plain = (search_history, get_recent, rank_sessions, session_prompt)
    return {function.__name__: function for function in plain}


def subagents():
    return {"llm_query": llm_query, "llm_query_parallel": llm_query_parallel}
