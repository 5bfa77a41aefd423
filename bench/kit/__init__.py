"""The modules for PMDK's other libraries beside the same loops in C: ``python -m bench.kit``."""
