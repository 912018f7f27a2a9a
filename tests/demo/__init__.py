"""Tests of the sample service, its authorization server and the parts of the story."""
