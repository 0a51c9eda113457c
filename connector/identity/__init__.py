"""Who a peer is: keys, certificates, the membership list, guests, and how one gets on the list.

From the bottom: ``syntax`` and ``forms`` check what comes from outside; ``public`` names public
keys; ``keyfolder`` and ``keys`` hold the private ones; ``certificate`` makes and reads X.509;
``organisation``, ``membership`` and ``signed`` are the list's format; ``trust`` decides which list
counts; ``change`` and ``registrar`` make lists; ``enrolment`` and ``guest`` are the files by which
one gets in; ``peer`` and ``directory`` answer, for the rest of the connector, who is calling.

Nothing here opens a connection, a database, or a clock of its own.
"""
