"""Conversations as other programs export them, as OpenAI messages: ChatGPT's conversations.json, and ShareGPT's form.

Only the form changes. Of a ChatGPT conversation the branch is taken that ChatGPT shows,
the one up to its current message; edits and answers that were replaced stay behind.
"""

from __future__ import annotations

from typing import Any

_SHAREGPT_ROLES = {"human": "user", "gpt": "assistant"}


def is_chatgpt(value: dict[str, Any]) -> bool:
    """Whether this is a conversation of ChatGPT's own export."""
    return isinstance(value.get("mapping"), dict)


def from_chatgpt(conversation: dict[str, Any]) -> dict[str, Any]:
    """A conversation of ChatGPT's export as one with `messages`; messages without any content are left out.

    Raises:
        ValueError: There is no way from its current message to its first.

    >>> node = {"parent": None, "message": {"author": {"role": "user"}, "content": {"parts": ["Hi"]}}}
    >>> from_chatgpt({"create_time": 1684576800, "current_node": "a", "mapping": {"a": node}})["messages"]
    [{'role': 'user', 'content': ['Hi'], 'create_time': None}]
    """
    nodes, messages = dict(conversation["mapping"]), []
    last = set(nodes) - {node.get("parent") for node in nodes.values() if isinstance(node, dict)}
    name = conversation.get("current_node") or (last.pop() if len(last) == 1 else None)
    if nodes and name is None:
        raise ValueError("has a mapping and no current_node, so that nothing says which branch was shown")
    while name is not None:
        node = nodes.pop(name, None)  # a second visit would go round in a circle
        if not isinstance(node, dict):
            raise ValueError(f"has no message {str(name)[:60]!r} in its mapping")
        message = node.get("message")
        if isinstance(message, dict):
            said = message.get("content")
            content = (said.get("parts") or [said.get("text")]) if isinstance(said, dict) else said
            if content not in (None, "", [None], [""]):
                role = (message.get("author") or {}).get("role")
                messages.append({"role": role, "content": content, "create_time": message.get("create_time")})
        name = node.get("parent")
    return {"create_time": conversation.get("create_time"), "messages": messages[::-1]}


def from_sharegpt(message: dict[str, Any]) -> dict[str, Any]:
    """A message of ShareGPT's form, `from` and `value`, with `role` and `content`; another one as it is.

    >>> from_sharegpt({"from": "human", "value": "Hi"})["role"]
    'user'
    """
    if "role" in message or not isinstance(speaker := message.get("from"), str) or "value" not in message:
        return message
    return {**message, "role": _SHAREGPT_ROLES.get(speaker, speaker), "content": message["value"]}
