"""One file with everything: SQLModel tables on SQLite, one writer, many readers.

``home`` is the folder a participant lives in, ``database`` opens its file, ``writer`` is the only
thing that writes to it, ``tables`` says what is in it, ``migrations`` how it got there.
"""
