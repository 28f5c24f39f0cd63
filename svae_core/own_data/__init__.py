"""Data of one's own: a file in, a table out, whatever the file holds.

    table = store.deposit(path);  store.find(table.key);  shaping.shape(table, choice, seed)

CSV and TSV (text), Parquet, NPY and NPZ (arrays), and ZIPs of equally sized images become one
form, a `Table` in a folder of its own: numbers row by row, text as codes, and what was assumed in
words. A file is read once, in a process of its own whose memory is limited and whose silence is
noticed (`reader`); workers then map the table from disk.

Files are not trusted: nothing is unpickled, no archive is unpacked by the names in it, what a
header claims is compared with what there is, and everything has a bound (`bounds`). A file that
cannot be used raises RequestError with one sentence.
"""
