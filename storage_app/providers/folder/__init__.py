"""A folder of the file system as a place for files: safe walking, whole writes, whole batches."""
