"""A small data space on one machine that shows the connector working, told as a story.

Its data lies in ``data/``: an extract of real meter readings, with origin and licence beside it.
"""
