"""User data: a file is read into a table on disk, and a table is shaped into points.

    key = kept.deposit(path);  table = kept.find(key);  shaping.shape(table, choice, seed)

CSV and TSV (text), Parquet, NPY and NPZ (arrays), and ZIPs of equally sized images become a
`Table` in a folder of its own: numbers row by row, text as codes, and notes on all assumptions. A
file is read once, in a subprocess with limited memory that is stopped when it hangs (`reader`);
workers then map the table from disk.

Files are not trusted: nothing is unpickled, no archive is unpacked by the names in it, sizes
declared in headers are validated before allocation, and everything has a limit (`limits`). A file
that cannot be used raises RequestError with one sentence.
"""
