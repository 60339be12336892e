"""Every prompt of the core, and nothing else.

`root` holds what the root model is told; `readers` what sub-agents, baselines and a chat are told. A prompt is plain
text and a few tags (`<session>`, `<history>`, `<question>`, `<output>`) that keep the record apart from instructions.
A tag within the record gets a backslash.
"""

from .readers import CHAT_SYSTEM as CHAT_SYSTEM
from .readers import CUT_OFF as CUT_OFF
from .readers import ESCAPED as ESCAPED
from .readers import HISTORY_SYSTEM as HISTORY_SYSTEM
from .readers import NOT_FOUND as NOT_FOUND
from .readers import NOT_READ as NOT_READ
from .readers import SUBAGENT_FACTS_SYSTEM as SUBAGENT_FACTS_SYSTEM
from .readers import SUBAGENT_SYSTEM as SUBAGENT_SYSTEM
from .readers import UNKNOWN as UNKNOWN
from .readers import ChatMessage as ChatMessage
from .readers import chat_system as chat_system
from .readers import history_messages as history_messages
from .readers import question_block as question_block
from .readers import session_prompt as session_prompt
from .readers import subagent_messages as subagent_messages
from .root import CUT_REPLY as CUT_REPLY
from .root import FORCED as FORCED
from .root import NO_CODE as NO_CODE
from .root import NOT_HERE as NOT_HERE
from .root import ROOT_SYSTEM as ROOT_SYSTEM
from .root import coverage_line as coverage_line
from .root import first_wave as first_wave
from .root import in_the_words_of as in_the_words_of
from .root import output_message as output_message
from .root import root_messages as root_messages
