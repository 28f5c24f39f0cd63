"""A run as the browser's stage reads it: messages, recordings, and the file that plays anywhere.

The doors are `messages`, one binary message of the scene or of a moment; `replay_file`, a whole run
as one page without a server; and `browser_code`, the files of assets/stage that draw both. Screens
and notebooks come in. Records and arrays go in; nothing here trains or measures.
"""
