"""One visitor: settings, URL, browser cookie, and the results that visitors share.

The door is `session`, the only user of Streamlit's session state. `url` writes settings into
links, `owner_cookie` tells whose runs are whose, `cache` computes a result once for all.
"""
