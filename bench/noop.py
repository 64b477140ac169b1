from __future__ import annotations

import jobs


class NoOp(jobs.Performable):
    def perform(self) -> None: ...
