"""Files on the disk: written whole or not at all; which of them crosslens wrote, and which must not be replaced."""
