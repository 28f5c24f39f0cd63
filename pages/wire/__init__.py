"""Between server and browser: routes, binary messages, and the component that shows them.

`routes` answers websockets and serves the component's code; `messages` and `headers` are what
is sent; `replay` writes a run as one HTML file; `component` mounts the browser code on a page.
"""
