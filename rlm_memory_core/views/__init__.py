"""What answers and traces look like: HTML for a notebook, plain text for a terminal, JSON lines for programs.

Here is only what is shown and how; what it says is in `answer`, which asks for its views when one is wanted.
"""

from .answer import answer_html, show_answer
from .records import from_jsonl, to_jsonl, written
from .standing import standing
from .trace import trace_html, trace_page, trace_text

__all__ = [
    "answer_html",
    "from_jsonl",
    "show_answer",
    "standing",
    "to_jsonl",
    "trace_html",
    "trace_page",
    "trace_text",
    "written",
]
