"""Lends this machine's tools to keyrings elsewhere, or to those of this machine without a start: the command ``lend``.

What is lent are answers, one at a time, to questions for the hosts that were named; never a password that was stored
elsewhere by a lender, never a file. It asks by `delegation.tools` as a lookup does; only `cli` enters here.
"""
