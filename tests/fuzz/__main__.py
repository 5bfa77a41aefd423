"""Damages pools and opens them: no file may crash, hang or deceive the program that opens it.

python -m fuzz                      5,000 trials with seeds from 1 on
python -m fuzz 600                  so long, with seeds from the clock on
python -m fuzz --seed 17            trial 17 again, with all it did
"""

from __future__ import annotations

import argparse
import os
import sys
import time

from fuzz.run import Fuzzing


def main() -> int:
    parser = argparse.ArgumentParser(prog="fuzz", description=__doc__.split("\n")[0])
    parser.add_argument("seconds", type=float, nargs="?", help="go on for so long")
    parser.add_argument("--trials", type=int, help="how many (5,000)")
    parser.add_argument("--first", type=int, help="the first trial's seed")
    parser.add_argument("--seed", type=int, default=os.environ.get("NVM_FUZZ_SEED"))
    options = parser.parse_args()
    fuzzing = Fuzzing()
    if options.seed is not None:
        fuzzing.run(int(options.seed), trials=1, verbose=True)
    elif options.seconds is not None:
        first = options.first if options.first is not None else int(time.time()) * 1000
        fuzzing.run(first, seconds=options.seconds)
    else:
        fuzzing.run(options.first or 1, trials=options.trials or 5000)
    fuzzing.tell()
    return 1 if fuzzing.findings else 0


if __name__ == "__main__":
    sys.exit(main())
