"""The exchange of data under an agreement, in windows that both parties sign.

* **What is said**: ``messages`` are signed, ``digest`` is what the signatures cover, a ``channel`` carries
  them, a ``conversation`` keeps their order; ``process`` is the one place where an exchange changes state.
* **The provider**: ``admission`` takes a Request, ``deciding`` asks the policy (``ruling``), ``guards`` hold
  in the transaction that records; ``provider`` sends a transfer, ``answering`` a query session, ``feeding`` a
  subscription; ``custody`` and ``budget`` follow what was signed for, ``late`` what came afterwards.
* **The consumer**: ``application`` asks and accepts, ``consumer`` receives a transfer, ``asking`` a query
  session, ``following`` a subscription; ``inbox`` keeps it sealed, ``use`` decides what is done with it,
  ``discard`` gives it up.
* **Facts** that a policy compares: ``request_facts``, ``version_facts``, ``declared``, ``attested``
  (``events``, ``payments``), ``counters`` and ``meters``.
* ``ground`` is what an exchange stands on: the parts of the connector that it needs, as it needs them.
"""
