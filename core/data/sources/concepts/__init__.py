"""Sources with concepts: pictures, and what their pixels are labelled as."""
