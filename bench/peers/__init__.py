"""The same benchmarks for other queues, in a virtual environment of their own.

Each peer is a module here, which that environment imports and this one doesn't. It has

- `enqueue(number)`, which enqueues that many tasks one by one,
- `enqueue_many(number)`, the same by the peer's own call for many, if it has one,
- `drain(number)`, in which one worker performs them, and which returns the seconds,
- `finished()`, how many are performed, and `unfinished()`, how many are not,
- `forget()`, which deletes them all,
- `enqueue_note(path)`, which enqueues a task that writes its time to a file,
- `SETTINGS`, what Django's settings have for it.
"""
