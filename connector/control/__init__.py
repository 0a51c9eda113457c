"""What a command can ask of a connector, in process or over its local socket: the same, either way.

An *operation* is a coroutine of an open node and plain JSON arguments that returns plain JSON.
``operations`` holds them, a file a group; ``socket`` carries them to a connector that runs;
``perform`` chooses.
"""
