"""The methods: one idea per file, each registered by one entry-point line."""
