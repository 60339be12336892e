"""Models: `connect()` names one, and each call to it runs through one pipeline of small steps.

Read `llm` (the public face) and `pipeline` (the steps in their order) first, then `types` (what passes between the
steps). Each step has the file that `pipeline` names. A server's quirks belong in `adapting` (what it accepts) and
`normalise` (what it returns). `llm.NAMED` lets other parts of the package, such as the offline reader, answer in a
server's place. `background` is the event loop that all of this runs on.
"""
