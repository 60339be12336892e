"""Benchmarks, methods, scoring and the driver: everything that only the experiments need."""

import warnings

from tqdm import TqdmWarning

with warnings.catch_warnings():
    # pooch and datasets import it in a notebook's kernel, where it warns that there are no widgets
    warnings.simplefilter("ignore", TqdmWarning)
    import tqdm.auto  # noqa: F401
