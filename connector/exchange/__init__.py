"""The exchange of data under an agreement, in windows that both parties sign.

``messages`` is what is signed, ``digest`` what the signatures cover, ``channel`` how messages
travel, ``provider`` and ``consumer`` the two sides of a transfer, ``query`` the session of small
questions, ``inbox`` what was received and ``use`` what is done with it.
"""
