"""Processes of their own for tests that kill them: forks of one in which Django is set up, so that none takes the
seconds of a start.
"""

import multiprocessing
from multiprocessing.context import ForkServerContext, SpawnContext


def _context() -> ForkServerContext | SpawnContext:
    if "forkserver" not in multiprocessing.get_all_start_methods():
        return multiprocessing.get_context("spawn")
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["pytest", "tests.made_ready"])
    return context


CONTEXT = _context()
