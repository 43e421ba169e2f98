"""The promises, one idea per file; a function marked `backend_promise` or `method_promise` here is found by itself."""
