"""The folder in which a sweep keeps what it gathers, and what its files hold."""
