"""Parts of a page that several screens use: settings, charts, upload, progress, tables.

Each draws with Streamlit and returns what the visitor chose. Screens import widgets; widgets
never import screens.
"""
