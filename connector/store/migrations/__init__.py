"""How the database got its form, one file a step."""
