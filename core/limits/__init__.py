"""What work may take: memory."""
