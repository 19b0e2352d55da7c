"""Work on many rows in chunks that stay in fast memory, optionally in several threads."""

from joblib import effective_n_jobs
from sklearn import get_config
from sklearn.utils import gen_batches
from sklearn.utils.parallel import Parallel, delayed

from ..structures.threads import one_blas_thread

#: Larger arrays are slower: the allocator asks the system for their pages anew each time.
CHUNK_BYTES = 2**25


def in_chunks(function, n_rows, row_bytes, n_jobs=None):
    """Call `function` on one slice of rows after another; return the results in that order.

    A row needs `row_bytes` while the function runs. A chunk has at least one row and needs at most
    32 MiB; all that run at once need at most scikit-learn's ``working_memory``. With several
    threads (`n_jobs`, as in joblib), each uses one BLAS thread.
    """
    n_threads = effective_n_jobs(n_jobs)
    allowed = min(CHUNK_BYTES, get_config()["working_memory"] * 2**20 / n_threads)
    chunks = list(gen_batches(n_rows, max(1, int(allowed // row_bytes))))
    if min(n_threads, len(chunks)) == 1:
        return [function(rows) for rows in chunks]
    with one_blas_thread():
        return Parallel(n_jobs=n_threads, prefer="threads", require="sharedmem")(
            delayed(function)(rows) for rows in chunks
        )
