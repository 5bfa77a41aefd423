"""The bindings of PMDK's libraries besides libpmemobj.

Their public names are those of the modules ``nvm.pmem``, ``nvm.pmem2``, and so on. What nvm was
built without is absent here.
"""

# ---- nvm.pmem

def pmem_check_version(major_required: int, minor_required: int, /) -> bool: ...
