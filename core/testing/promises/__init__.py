"""The promises, one topic a file. A file registers its functions marked `backend_promise` or `method_promise`."""
