from __future__ import annotations

import threading

import pytest

from batchexec.process import crew
from batchexec.process.crew import Crew
from tests.processes import wait_for


def called_by(number: int, call) -> None:
    callers = [threading.Thread(target=call) for _ in range(number)]
    for caller in callers:
        caller.start()
    for caller in callers:
        caller.join()


def members() -> list[threading.Thread]:
    return [
        thread for thread in threading.enumerate() if thread.name == "a-few"
    ]  # others linger for a while


def test_however_many_wait_a_few_threads_act_and_leave_when_there_is_nothing_to_do(monkeypatch):
    monkeypatch.setattr(crew, "LINGER", 1)
    few, acting, most, done = Crew(3, "a-few"), set(), [], []
    three = threading.Barrier(3)

    def step() -> None:
        acting.add(threading.current_thread())
        three.wait(120)
        most.append(len(members()))
        three.wait(120)  # none leaves before all have counted
        done.append(None)

    called_by(51, lambda: few.do(step))
    assert len(done) == 51
    assert set(most) == {3}
    assert all(thread.name == "a-few" for thread in acting)
    wait_for(lambda: not members(), what="those with nothing to do left")
    called_by(3, lambda: few.do(step))
    assert len(done) == 54


def test_what_a_step_raises_is_raised_where_it_was_wanted():
    few, raised = Crew(1, "the-crew"), []

    def want() -> None:
        with pytest.raises(ZeroDivisionError, match="division by zero"):
            few.do(lambda: 1 / 0)
        raised.append(few.do(lambda: "goes on"))

    called_by(3, want)
    assert raised == ["goes on"] * 3


def test_the_main_thread_acts_for_itself():
    assert Crew(1, "the-crew").do(threading.current_thread) is threading.main_thread()
