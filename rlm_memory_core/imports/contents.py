"""Reads the texts in a message's content: a text, or parts of many kinds, in lists and objects.

A part that is not text, such as an image, is replaced by its name in brackets, and counted. A model's thoughts are left
out and counted.
"""

import json
from collections import Counter
from collections.abc import Iterable, Iterator
from typing import Any

from ..store.escaping import label

# names of keys; the first that is in an object is used
_TEXTS = "text value parts content body refusal transcript result output_str".split()
# kinds of parts
THOUGHTS = "think thinking redacted_thinking reasoning reasoning_content thoughts reasoning_recap".split()
ARE_THOUGHTS = ("thought", "isThought")  # keys of Gemini
CALLS = "tool_use server_tool_use function_call custom_tool_call".split()
RESULTS = "tool_result function_call_output custom_tool_call_output".split()


def _is_run(part: Any) -> bool:
    """Return whether a part belongs to the line of the part before it, as Telegram's links and bold words do."""
    return isinstance(part, str) or ("text" in part and not str(part.get("type", "text")).endswith("text"))


def texts_in(content: Any, skipped: Counter[str]) -> Iterator[str]:
    """Yield the texts in a message's content and its parts."""
    fields = as_dict(content)
    kind = first(fields, ("type", "content_type", "msgtype")) or ("part" if fields else type(content).__name__)
    call = as_dict(fields.get("function")) or fields
    if isinstance(content, str):
        yield content
    elif isinstance(content, list):
        texts = [text for part in content for text in texts_in(part, skipped)]
        are_runs = {*map(type, content)} == {str, dict} and all(map(_is_run, content))
        yield from ["".join(texts)] if are_runs else texts
    elif kind.lower() in THOUGHTS or True in map(fields.get, ARE_THOUGHTS):
        skipped["thought"] += 1
    elif kind in CALLS or call is not fields or "arguments" in call:
        given = call.get("arguments", call.get("input", ""))
        shown = given if isinstance(given, str) else json.dumps(given, ensure_ascii=False)
        yield f"[tool call: {call.get('name')}({shown})]"
    elif kind in RESULTS:
        yield f"[tool result: {' '.join(texts_in(fields.get('content', fields.get('output')), skipped))}]"
    elif inner := first(fields, _TEXTS, object):
        yield from texts_in(inner, skipped)
    elif name := first(fields, ("file_name", "fileName", "filename", "name")):
        extracted = first(fields, ("extracted_content",))
        skipped.update(["file"] * (not extracted))
        yield from (f"[file: {label(name)}]", extracted)
    elif content is not None and not fields.keys() & {*_TEXTS}:
        skipped[kind] += 1
        yield f"[{label(kind)}]"


def first(value: Any, names: Iterable[str], kinds: type | tuple[type, ...] = str) -> Any:
    """Return the first entry of an object with one of these names and types that is not empty; "" if there is none."""
    found = map(as_dict(value).get, names)
    return next((each for each in found if isinstance(each, kinds) and each not in (None, "", [], {})), "")


def as_dict(value: Any) -> dict[str, Any]:
    """Return an object; {} for another value."""
    return value if isinstance(value, dict) else {}
