"""What tests of models share: one question asked of a model, and a server that refuses it."""

import httpx2

from rlm_memory_core.models import background

HI = [{"role": "user", "content": "hi"}]


def ask(model, budget=None, messages=HI):
    return background.run(model.complete(messages, budget))


def refused(status, message="no", **headers):
    return httpx2.Response(status, headers=headers, json={"error": {"message": message}})
