"""File changes that wait: durable when acknowledged, seen by every reader, sent as one commit."""
