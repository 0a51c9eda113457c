"""The only room that knows the wire: gRPC servers and clients between connectors.

``rules`` says which call needs what, ``gate`` enforces it, ``status`` turns errors into rich
statuses and back, ``convert`` messages into protobuf and back, ``stream`` makes a channel of a
stream, ``services`` answers, ``client`` asks, ``server`` puts it together.
"""
