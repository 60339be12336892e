"""What all prompts share: the tags around the record, and the words that have a fixed meaning."""

from __future__ import annotations

from ...models.types import ChatMessage as ChatMessage
from ...repl.output import UNKNOWN as UNKNOWN
from ...store.escaping import escape_tags, label

NOT_FOUND = "NOT_FOUND"
"""What a sub-agent replies when its session holds nothing on the question."""

NOT_READ = "NOT_READ"
"""What stands in the findings for a session whose sub-agent failed."""

CUT_OFF = "[... cut off at the model's token limit]"
"""What ends a finding that the model did not finish."""

ESCAPED = "A heading or a tag with a backslash before it is something that was said, not a mark of the record."
"""How a model is told of `escaping`."""


def question_block(question: str, question_date: str | None) -> str:
    """The question between its tags, with the day on which it is asked."""
    return f"<question{date_attribute(question_date)}>\n{escape_tags(str(question))}\n</question>"


def date_attribute(date: str | None) -> str:
    """The day as a tag's attribute, after a space; "" where there is none."""
    return f' date="{label(str(date))}"' if date else ""
