"""The server that this process is: its live runs, its engine and its classes, in one object.

The door is `current`: `server()` gives the object to routes, which run on the event loop, and to
page scripts, which run in threads of their own. Tests put a server of their own in its place.
"""
