"""Tests of connector.contract."""
