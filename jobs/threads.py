"""Raises an exception in another thread."""

from __future__ import annotations

import ctypes


def raise_in(thread: int, error: type[BaseException] | None) -> None:
    """Has `error` raised between two steps of Python code of that thread.

    Code that blocks in C gets it when it returns. None takes back what isn't raised
    yet.
    """
    raised = ctypes.py_object(error) if error else None
    ctypes.pythonapi.PyThreadState_SetAsyncExc(ctypes.c_ulong(thread), raised)
