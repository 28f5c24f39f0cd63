"""How large things may be. Each bound keeps memory or time finite; messages quote them."""

from __future__ import annotations

import zipfile

#: Columns of a table, and features after one-hot coding: K-means and the floors need d × d numbers.
COLUMNS = 4_096
#: Cells read from a file: 1 GiB of float64 on disk.
CELLS = 2**27
#: Numbers that become points, 256 MiB of float32; of larger tables a sample of rows is used.
NUMBERS = 2**26
#: A line of text. The reader takes blocks, and a line must fit into one.
LINE_BYTES = 2**20
BLOCK_BYTES = 2**23
#: Different values up to which text is a category; more are free text and cannot be used.
CATEGORIES = 1_000
#: … and up to which it is used without being asked for: names and numbers of cases are not.
CATEGORIES_UNASKED = 50
#: Classes of a label: more cannot be told apart in any picture.
CLASSES = 100
#: Letters kept of a name or a value.
LETTERS = 60
#: Pixels of one image in a ZIP, before it is shrunk; and bytes of its file.
IMAGE_PIXELS = 2**24
IMAGE_BYTES = 2**25
#: Bytes of a ZIP's table of contents: about 500,000 files.
CONTENTS_BYTES = 2**25
#: How members of a ZIP may be packed: other ways may ask for any amount of memory before the first
#: byte comes out.
COMPRESSIONS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)
#: Memory of the process that reads a file, and seconds without a sign of life from it.
READER_BYTES = 3 * 2**28
READER_SILENCE = 20.0
#: Kept on disk: bytes of all tables, and days since one was last used.
KEPT_BYTES = 2**33
KEPT_DAYS = 30
