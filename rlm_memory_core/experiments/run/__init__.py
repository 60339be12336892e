"""Runs methods over samples, and notebooks over papermill.

`runner` asks methods and makes the rows of a run, on other processes and machines with `executors` and `dask_cluster`;
`results` writes them. `catalog` lists the notebooks; `reproduce` checks a run, `estimate` says what it will take, and
`execution` runs it.
"""
