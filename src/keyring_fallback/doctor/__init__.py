"""The doctor: why lookups are not answered, and what mends it.

`examination` gathers facts, `causes` says what is wrong with them, `report` shows it. It needs no keyring to start,
starts processes to find out, and is loaded by the command ``keyring-fallback`` only.
"""
