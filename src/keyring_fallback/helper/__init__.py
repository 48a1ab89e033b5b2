"""The helper: what runs under a tool's interpreter, or under another environment's.

Standard library and the Python 3.8 of the tool only, and nothing of the rest of this package: over there it does not
exist. The rest uses `shared` and `backends.forms`; everything else is started as a process (`start`).
"""
