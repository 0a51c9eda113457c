"""What two participants agree on, and how they come to agree.

``terms`` are what an ``offer`` proposes and an ``agreement`` fixes; ``messages`` are what the two
send each other, ``negotiation`` the state machine that those messages drive, ``force`` the question
whether an agreement counts, ``ending`` how it ends; ``transfer`` is the state machine of an exchange,
``liability`` who answers for what, ``custody`` who holds what, ``metering`` what it costs.

These are functions of values: no database, no wire, no clock but the one handed in.
"""
