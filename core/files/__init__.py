"""Files on the disk: which of them crosslens wrote, and which a command must not replace; results kept on the way."""
