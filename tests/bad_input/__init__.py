"""What was tried at each edge, and the one clear error that each gets.

``table`` holds the cases, ``test_bad_input`` runs them, ``page`` writes docs/reference/bad-input.md.
"""
