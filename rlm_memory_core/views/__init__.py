"""Shows answers, traces and histories: as HTML in a notebook, as text in a terminal.

The core does not import this package. Importing it registers a view for each class with `store.display`. Start with
`answer`, `trace` (with `timeline`) and `store_summary`. They share `rendering` and the HTML in `templates/`.
"""

from ..query.answer import Answer, Trace
from ..store import display
from ..store.memory_store import MemoryStore
from .answer import answer_html, show_answer
from .store_summary import summary_html, summary_text
from .trace import trace_html, trace_text

display.as_html.register(Answer, answer_html)
display.show.register(Answer, show_answer)
display.as_html.register(Trace, trace_html)
display.as_text.register(Trace, trace_text)
display.as_html.register(MemoryStore, summary_html)
display.as_text.register(MemoryStore, summary_text)

__all__ = ["answer_html", "show_answer", "summary_html", "summary_text", "trace_html", "trace_text"]
