"""The benchmarks: ``python -m tests.benchmarks``, or ``make bench``.

Every figure stands beside a baseline that was measured in the same run, in rounds of random order,
on the same machine, over the same kind of TLS. ``measure`` runs the rounds, ``report`` prints the
table, ``space`` builds the data space that is measured, ``process`` runs the parties as processes
of their own; the other modules are the rows and what they are compared with.
"""
