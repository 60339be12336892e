"""Models: `connect()` selects one, and each call to it runs through one pipeline of small steps.

Read `llm` (the public interface) and `pipeline` (the steps in order) first, then `types` (what passes between the
steps). `pipeline` names the file of each step. A server's quirks belong in `adapting` (what it accepts) and `normalise`
(what it returns). `streaming` joins answers that come in pieces; `thoughts` separates a model's thoughts from its
reply. `wording` puts errors into words. `llm.NAMED` lists names that need no server, such as "offline"; `plugins` loads
the code behind them when it is needed. `background` is the event loop that all of this runs on.
"""
