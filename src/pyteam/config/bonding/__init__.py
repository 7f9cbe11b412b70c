"""Bonding <-> team: one typed bond, readers and writers of what others call it, both translations.

A folder of its own because nothing that runs a team needs it. Pure: texts in, texts out.
"""
