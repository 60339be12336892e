"""Mem0 as a method: it extracts facts from each session; the facts most like the question go to the run's model.

    pip install mem0ai
    rlm-memory reproduce --only 03 --sample 20 --model gpt-4o-mini \
        -p methods '["rlm-search", "examples/mem0_memory.py:mem0"]'

Mem0 asks models of its own, by default OpenAI's with OPENAI_API_KEY: a call or more for each session of each question.
Neither their tokens nor their dollars are in the row, and no budget of ours stops them.
"""

import os
from tempfile import TemporaryDirectory


def mem0(history, question, ask):
    """Answers from the facts that Mem0 keeps.

    Args:
        history: Sessions, oldest first, each with a `date` and `turns`; a turn has a `role` and a `content`.
        question: The question.
        ask: Has the run's model answer the question from the text that it is given.
    """
    os.environ["MEM0_TELEMETRY"] = "False"  # it keeps a file open that only one question at once could use
    from mem0 import Memory  # only here, so that the other rows do without it

    # files of its own for each question: no other history is found, and questions may run at once
    with TemporaryDirectory() as folder:
        vectors = {"provider": "qdrant", "config": {"path": f"{folder}/vectors"}}
        memory = Memory.from_config({"vector_store": vectors, "history_db_path": f"{folder}/history.db"})
        try:
            for session in history:
                messages = [{"role": role, "content": content} for role, content in session.turns]
                memory.add(messages, user_id="user", metadata={"date": session.date})
            found = memory.search(question, filters={"user_id": "user"}, top_k=20)["results"]
        finally:
            memory.close()
    dated = [((fact.get("metadata") or {}).get("date"), fact["memory"]) for fact in found]
    return ask("\n".join(f"[{date}] {fact}" for date, fact in dated))
