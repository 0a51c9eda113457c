"""Who did what, under which agreement, and who answers for it: the records and what they mean."""
