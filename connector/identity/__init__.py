"""Who a peer is: keys, certificates, the membership list, guests, and how one gets on the list.

From the bottom:

* ``syntax`` and ``forms`` check what comes from outside; ``files`` writes whole files or none.
* ``public`` names public keys, ``keyfolder`` and ``keys`` hold the private ones, ``certificate`` makes
  and reads X.509.
* ``organisation``, ``signed`` and ``membership`` are the list's format; ``trust`` decides which list
  counts, ``equivocation`` proves that two cannot, ``expiry`` warns.
* ``request`` and ``enrolment`` are the files by which a member gets in and changes its keys; ``change``
  and ``registrar`` make the lists.
* ``credential``, ``guest`` and ``guestbook`` are for citizens and sole traders, off the list.
* ``peer`` and ``directory`` answer, for the rest of the connector, who is calling.

Nothing here opens a connection or a database, or has a clock of its own.
"""
