"""Asks one tool one question and gives its reply: processes, pipes, the protocol.

May import `helper`, `discovery`'s nouns, and what stands below both; knows nothing of who is asked besides the tools.
Whoever enters it does so by `tools`; it is loaded when the first lookup is delegated.
"""
