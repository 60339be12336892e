"""Experiments: what only the notebooks need, from benchmark files to the report.

Read `types` first: a Sample goes in, a Method answers, a Prediction comes out. Then follow the parts: `data` loads
benchmarks, `methods` answers, `score` scores answers, `run` runs methods and notebooks, `paper` checks the paper's
numbers, and `show` makes tables, figures and the report. Each folder imports only from those before it.
"""

import warnings

from tqdm import TqdmWarning

with warnings.catch_warnings():
    # pooch and datasets import it in a notebook's kernel, where it warns that there are no widgets
    warnings.simplefilter("ignore", TqdmWarning)
    import tqdm.auto  # noqa: F401
