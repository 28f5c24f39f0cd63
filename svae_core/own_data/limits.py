"""Limits on user files; each bounds memory or time, and messages quote them."""

from __future__ import annotations

import zipfile

#: Columns of a table, and features after one-hot coding: K-means and the floors need d × d numbers.
COLUMNS = 4_096
#: Columns of a sparse matrix, of which COLUMNS at most become features: all genes of a genome.
SPARSE_COLUMNS = 2**17
#: Cells read from a file: 1 GiB of float64 on disk.
CELLS = 2**27
#: Numbers that become points, 256 MiB of float32; of larger tables a sample of rows is used.
NUMBERS = 2**26
#: Bytes of a line of text, and of the blocks that are read; a line must fit into a block.
LINE_BYTES = 2**20
BLOCK_BYTES = 2**23
#: Different values up to which text is a category; more are free text and cannot be used.
CATEGORIES = 1_000
#: Different values up to which a text column is used by default; identifiers have more.
CATEGORIES_UNASKED = 50
#: From here on float64 does not tell whole numbers apart.
EXACT = 2.0**53
#: Classes of a label; more cannot be distinguished in a figure.
CLASSES = 100
#: Letters kept of a name or a value.
LETTERS = 60
#: Pixels of one image in a ZIP, before downscaling; and bytes of its file.
IMAGE_PIXELS = 2**24
IMAGE_BYTES = 2**25
#: Bytes of a ZIP's table of contents: about 500,000 files.
CONTENTS_BYTES = 2**25
#: Allowed compressions of ZIP members; others may allocate any amount of memory before the first
#: byte of output.
COMPRESSIONS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)
#: Memory of the process that reads a file, and what it may take without progress before it is
#: stopped: seconds of a processor, and seconds by the clock, which pass faster on a busy machine.
READER_BYTES = 3 * 2**28
READER_SECONDS = 20
READER_SILENCE = 240.0
#: Kept on disk: bytes of all tables, and days since one was last used.
KEPT_BYTES = 2**33
KEPT_DAYS = 30
