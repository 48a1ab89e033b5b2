"""Finds the tools by looking at files; starts nothing, never raises, trusts before it reads.

May import `here`, `hints` and `records`, and nothing that is costly: keyring's entry point loads `places` in every
program. Everything in here is a function of (environ, home, platform) and the files.
"""
