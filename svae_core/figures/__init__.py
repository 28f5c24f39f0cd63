"""Records in, Plotly figures out: one file per view, names and colours from `palette`.

No figure asks a model anything, and none knows of Streamlit. Every view has a `describe_…`
function: the same content in one or two plain sentences, for readers of text and screen readers.
"""
