"""`python -m tests.hostile`: families of hostile cases until the time is over; a table; findings are kept."""

import argparse
import json
import sys
from pathlib import Path
from random import SystemRandom

from .families import FAMILIES
from .frame.campaign import Campaign, imported
from .frame.case import Case
from .frame.judge import Verdict


def _tell(family: str, case: Case, verdict: Verdict) -> None:
    if verdict.is_finding or verdict.kind == "late":
        lines = verdict.why.strip().splitlines() or [""]
        print(f"{verdict.kind}: {family}: {case.name}: {lines[-1][:300]}", flush=True)


def main() -> int:
    """The number of findings, at most 1, as an exit code."""
    parser = argparse.ArgumentParser(prog="python -m tests.hostile", description=__doc__)
    parser.add_argument("--minutes", type=float, default=float("inf"), help="how long; without end if not given")
    parser.add_argument("--seed", type=int, default=SystemRandom().randrange(10**6), help="of the drawn cases")
    parser.add_argument(
        "--family", action="append", help="a part of a family's name; may be given again; all, if not given"
    )
    parser.add_argument("--named", type=int, help="how many named cases of each family; all, if not given")
    parser.add_argument("--drawn", type=int, help="how many drawn cases of each family; without end, if not given")
    parser.add_argument("--workers", type=int, default=2, help="processes at a time")
    parser.add_argument("--patience", type=float, default=1.0, help="limits of time are so many times longer")
    parser.add_argument("--quick", action="store_true", help="the few cases that run with the tests")
    parser.add_argument("--json", type=Path, help="a file for the figures and findings")
    parser.add_argument("--keep", type=Path, default=Path("fuzz-findings"), help="folder for findings")
    given = parser.parse_args()
    families = [each for each in FAMILIES if not given.family or any(part in each.name for part in given.family)]
    print(f"seed {given.seed}, {len(families)} families", flush=True)
    imported()
    campaign = Campaign(families, given.seed, given.keep, given.workers, _tell, given.patience)
    try:
        campaign.run(seconds=60 * given.minutes, named=given.named, drawn=given.drawn, quick=given.quick)
    finally:
        print(f"seed {given.seed}\n{campaign.table()}")
        if given.json:
            given.json.write_text(json.dumps(campaign.figures(), indent=1))
    return int(any(each.findings for each in campaign.tallies.values()))


if __name__ == "__main__":
    sys.exit(main())
