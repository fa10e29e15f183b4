"""Attributes computed when they are first asked for."""

import inspect
import os
import threading

from sktpecr._utils._lazily import lazily


class Counted:
    """Counts how often its value is computed."""

    def __init__(self):
        self.n_computed = 0

    @lazily
    def value(self):
        """How often it was computed."""
        self.n_computed += 1
        return self.n_computed


def test_is_computed_once_for_each_instance():
    first, second = Counted(), Counted()
    assert (first.value, first.value, second.value) == (1, 1, 1)
    assert vars(first)["value"] == 1
    assert inspect.getdoc(Counted.value) == "How often it was computed."


def test_a_process_forked_while_one_is_computed_computes_its_own():
    started, done = threading.Event(), threading.Event()

    class Slow:
        @lazily
        def value(self):
            if threading.current_thread() is not threading.main_thread():
                started.set()
                done.wait(10)
            return 7

    thread = threading.Thread(target=lambda: Slow().value)
    thread.start()
    assert started.wait(10)
    child = os.fork()
    if not child:
        os._exit(Slow().value)
    done.set()
    thread.join()
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 7
