"""Files in an object store: S3 and whatever speaks it, Google Cloud Storage, Azure Blob Storage.

- `addresses` says which options make sense together, and opens the client;
- `faults` turns the client's errors into those of a storage;
- `bodies` holds what is to be written: in memory, or beside where it is large;
- `bucket` looks, reads, lists, puts and deletes;
- `writing` makes changes of that, under their conditions.

`addresses` is imported to check settings, so this module imports the client only when a storage is opened.
"""
