"""Models: `connect()` names one, and each call to it runs through one pipeline of small steps.

Read `llm` (the public face) and `pipeline` (the steps in their order) first, then `types`
(what passes between the steps). Each step has the file that `pipeline` names. A server's
quirks belong in `openai_backend` (what it accepts) and `normalise` (what it returns).
`backends` checks a server's address and key, and lets other parts of the package, such as
the offline reader, answer in its place. `background` is the event loop that all of this runs on.
"""
