"""The progress bar of a terminal or, with ipywidgets, of a notebook."""

import warnings

with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # in a notebook without ipywidgets, where text is shown instead
    from tqdm.auto import tqdm

__all__ = ["tqdm"]
