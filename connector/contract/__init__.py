"""What two participants agree on, how they come to agree, and what they owe each other afterwards.

* **Documents**, as functions of values: ``terms`` are what an ``offer`` proposes and an ``agreement``
  fixes, for each ``party``; ``messages`` are what the two send each other, with words beside them in
  ``opening``; ``liability`` says who answers for what, ``metering`` and ``settlement`` what it costs.
* **State machines**, as functions of values: ``negotiation`` with its ``states``, ``transfer``; ``force``
  says whether an agreement counts, ``ending`` how it ends, ``custody`` who holds what was sent.
* **At work**, in the store's transactions: the ``desk`` negotiates, ``agreements`` begin and end,
  ``settlements`` bill, ``duties`` and their ``tasks`` are tracked; a ``speaker`` signs and checks for all of
  them. What they need from above stands in ``surroundings`` and ``keys``.
"""
