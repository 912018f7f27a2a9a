"""The door for people: pages.

One file per action; GET shows, POST changes and redirects. Owns sessions' cookies, CSRF and templates; decides nothing.
"""
