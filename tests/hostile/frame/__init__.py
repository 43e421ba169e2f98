"""The judge of hostile cases: what a case is, its process, the watch over it, the verdict, a campaign over families."""
