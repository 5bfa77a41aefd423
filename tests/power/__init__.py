"""Power cuts of a whole emulated machine, judged by the code that users have (`make power-test`).

`journal_cuts` and `dax_cuts` are the two tests. `image` and `machine` make the machine and run it,
`block_log` and `media` make what a cut may have left, `judge` has it judged, `outcome` counts. The
C++ programs beside them are the workload, its controls and the judge.
"""
