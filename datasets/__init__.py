"""Data sets: the IDX format, folders of IDX files, and the named sets that stoker can fetch."""
