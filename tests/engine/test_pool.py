"""Threads that share tasks: none of them sleeps through the end."""

from __future__ import annotations

from threading import Condition, Thread

from wtui.engine.pool import Pool


def test_a_thread_that_looks_for_work_while_the_pool_is_stopped_does_not_wait_for_ever() -> None:
    pool: Pool[int] = Pool([])

    class Late(Condition):
        """A lock that is taken only after somebody else has stopped the pool."""

        def __enter__(self) -> bool:
            pool._stopped = True
            return super().__enter__()

    pool._changed = Late()
    thread = Thread(target=pool._next_work, daemon=True)
    thread.start()
    thread.join(10)
    assert not thread.is_alive()
