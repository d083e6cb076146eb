"""Matching Sigma rules against events."""
