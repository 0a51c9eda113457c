"""Where data comes from: files and tables, kept as versions that do not change.

``SnapshotFolder`` keeps versions (``folder``), ``Draft`` builds one (``draft``), ``Selection`` and
``View`` say what is asked for and what may be seen (``selection``, ``view``), and a ``Snapshot``
yields ``Piece`` after ``Piece`` of it (``snapshot``, ``table``).
"""
