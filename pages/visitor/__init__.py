"""One visitor: settings, URL, browser cookie; and the cache of results that visitors share.

The door is `session`, the only user of Streamlit's session state. `url` writes settings into
links, `owner_cookie` identifies the browser that owns a run, `job` follows a plan of calls, and
`cache` computes a result once for all visitors.
"""
