"""What a command says: results, tables, progress and messages, on streams that may be closed."""
