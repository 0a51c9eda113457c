"""Datasets, their versions, and how they are described to others.

``dataset`` has the values, ``listing`` the plain JSON that peers exchange, ``dcat`` the description
that open-data portals read, ``suspicion`` what is looked for before a table is published. Nothing
here touches a database: it is given values and returns values.
"""
