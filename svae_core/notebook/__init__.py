"""Records and runs in notebooks: Jupyter, marimo, and whatever shows HTML or widgets below a cell.

The doors are `rich`, the one writer of rich representations, to which records come by themselves,
and `watch`, which shows the stage below a cell while a loop trains. Users' own code may come in;
`watch` needs anywidget (the extra `notebook`), `rich` nothing that is not there anyhow.
"""
