"""Records in, Plotly figures out: one file per view, names and colours from `palette`.

Figures evaluate no model and do not depend on Streamlit. Every view has a `describe_…` function
with the same content in one or two plain sentences, for text and screen readers.
"""
