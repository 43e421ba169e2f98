"""Hostile and broken input, made by generators from a seed, and the judge of what becomes of it.

Mirrors no folder of the package. A *family* yields cases, the judge (`frame/`) runs each in a process of its own and
watches its time, memory and files. `families.py` lists them all. A quick part runs with the tests, `make fuzz` for as
long as wanted; SECURITY.md says what is promised.
"""
