"""Arrays by name in one compressed file of numpy's format ``npz``, bit by bit what they were.

Numbers of float64 that are those of float32, as a network gives them, are stored as such, and their
bytes by significance, which compresses better.
"""

import io
import zipfile

import numpy as np

from ..structures.bounds import check_count

#: Arrays with fewer numbers are stored as they are.
SMALL = 1000

#: Ends of the names of the two parts of an array, and of what says which column is in which part.
SINGLE, DOUBLE, WHICH = ".float32", ".float64", ".columns"


def arrays_to_bytes(arrays):
    """Write arrays; the same ones give the same bytes."""
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_LZMA) as archive:
        for name, array in arrays.items():
            for part, values in _parts(name, array).items():
                content = io.BytesIO()
                np.lib.format.write_array(content, values, allow_pickle=False)
                info = zipfile.ZipInfo(f"{part}.npy")  # of a fixed date
                info.compress_type = zipfile.ZIP_LZMA
                archive.writestr(info, content.getvalue())
    return file.getvalue()


def arrays_from_bytes(content):
    """Read what `arrays_to_bytes` wrote."""
    with np.load(io.BytesIO(content), allow_pickle=False) as file:
        n_bytes = sum(info.file_size for info in file.zip.infolist())
        check_count(n_bytes, "SKCFGP_MAX_BYTES", "bytes of arrays")
        parts = {name: file[name] for name in file.files}
    arrays = {}
    for name, values in parts.items():
        if name.endswith(WHICH):
            stem = name.removesuffix(WHICH)
            arrays[stem] = _joined(values, parts[stem + SINGLE], parts[stem + DOUBLE])
        elif not name.endswith((SINGLE, DOUBLE)):
            arrays[name] = values
    return arrays


def _parts(name, array):
    """Split a large array into columns that float32 holds exactly, and the others."""
    is_matrix = array.dtype == np.float64 and array.ndim in (1, 2) and array.flags.c_contiguous
    if not is_matrix or array.size < SMALL:
        return {name: array}
    columns = array.reshape(len(array), -1)
    with np.errstate(over="ignore", invalid="ignore"):
        again = columns.astype(np.float32).astype(np.float64)
    exact = (again.view(np.int64) == columns.view(np.int64)).all(axis=0)
    if not exact.any():
        return {name: array}
    single = np.ascontiguousarray(columns[:, exact], dtype="<f4").view(np.uint8)
    planes = np.ascontiguousarray(single.reshape(-1, 4).T)
    which = exact if array.ndim == 2 else exact[0]
    parts = {WHICH: np.asarray(which), SINGLE: planes, DOUBLE: columns[:, ~exact]}
    return {name + end: part for end, part in parts.items()}


def _joined(which, planes, double):
    exact = np.atleast_1d(which)
    single = np.ascontiguousarray(planes.T).view("<f4").reshape(len(double), -1)
    columns = np.empty((len(double), len(exact)))
    columns[:, exact], columns[:, ~exact] = single, double
    return columns if which.ndim else columns[:, 0]
