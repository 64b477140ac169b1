"""Requests to the whole application, as a web server hands them over: nothing checks or
repairs them before.
"""

from __future__ import annotations

import io

from project.wsgi import application


def ask(
    method: str, path: str, query: str = "", body: bytes = b"", **headers: str
) -> tuple[int, bytes]:
    environ = {
        "REQUEST_METHOD": method,
        "SCRIPT_NAME": "",
        "PATH_INFO": path,
        "QUERY_STRING": query,
        "SERVER_NAME": "testserver",
        "SERVER_PORT": "80",
        "SERVER_PROTOCOL": "HTTP/1.1",
        "CONTENT_LENGTH": str(len(body)),
        "wsgi.version": (1, 0),
        "wsgi.url_scheme": "http",
        "wsgi.input": io.BytesIO(body),
        "wsgi.errors": io.StringIO(),
        "wsgi.multithread": True,
        "wsgi.multiprocess": True,
        "wsgi.run_once": False,
        **headers,
    }
    found: list[str] = []
    answer = application(environ, lambda status, headers, exc_info=None: found.append(status))
    try:
        return int(found[0][:3]), b"".join(answer)
    finally:
        answer.close()
