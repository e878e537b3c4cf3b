"""The addresses of SciPy's BLAS and LAPACK: also where several threads are the first to ask for them."""

from __future__ import annotations

import subprocess
import sys

TOGETHER = """
import threading
from graphc.codegen.blas import bind_blas, bind_lapack
start, bound = threading.Barrier(8), []
def bind():
    start.wait()
    bind_lapack()
    bind_blas()
    bound.append(True)
threads = [threading.Thread(target=bind) for _ in range(8)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
print(len(bound))
"""


def test_threads_that_ask_together_all_get_the_addresses() -> None:
    done = subprocess.run([sys.executable, "-c", TOGETHER], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "8", done.stderr
