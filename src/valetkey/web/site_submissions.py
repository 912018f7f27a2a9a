"""The part of the site map for connectors on their way into the directory: their publishers' pages, and the desk's."""

from __future__ import annotations

from typing import Final

from valetkey.submissions.pictures import MOST_BYTES
from valetkey.web import (
    desk_list,
    desk_show,
    submission_contact,
    submission_edit,
    submission_list,
    submission_pictures,
    submission_show,
)
from valetkey.web.door import Page

SUBMISSIONS: Final = (
    Page("GET", "/directory/submissions", submission_list.show),
    Page("POST", "/directory/submissions", submission_list.submit),
    Page("GET", "/directory/submissions/{submission}", submission_show.show),
    Page("POST", "/directory/submissions/{submission}/move", submission_show.move),
    Page("POST", "/directory/submissions/{submission}/answer", submission_show.answer),
    Page("GET", "/directory/submissions/{submission}/account", submission_show.show_account),
    Page("POST", "/directory/submissions/{submission}/account", submission_show.set_account),
    Page("GET", "/directory/submissions/{submission}/tools", submission_show.show_tools),
    Page("POST", "/directory/submissions/{submission}/tools", submission_show.review),
    Page("GET", "/directory/submissions/{submission}/domain", submission_show.show_domain),
    Page("POST", "/directory/submissions/{submission}/domain", submission_show.prove),
    Page("GET", "/directory/submissions/{submission}/acknowledgments", submission_show.show_terms),
    Page("POST", "/directory/submissions/{submission}/acknowledgments", submission_show.agree),
    Page("GET", "/directory/pictures/{picture}", submission_pictures.picture),
    Page("GET", "/directory/submissions/{submission}/pictures", submission_pictures.show),
    Page("POST", "/directory/submissions/{submission}/pictures", submission_pictures.submit, takes_file=MOST_BYTES),
    Page("GET", "/directory/submissions/{submission}/contact", submission_contact.show),
    Page("POST", "/directory/submissions/{submission}/contact", submission_contact.submit),
    Page("GET", "/directory/submissions/{submission}/{step}", submission_edit.show),
    Page("POST", "/directory/submissions/{submission}/{step}", submission_edit.submit),
    Page("GET", "/directory/desk", desk_list.show),
    Page("GET", "/directory/desk/{submission}", desk_show.show),
    Page("POST", "/directory/desk/{submission}/review", desk_show.review),
    Page("POST", "/directory/desk/{submission}/question", desk_show.question),
    Page("POST", "/directory/desk/{submission}/decision", desk_show.decide),
    Page("POST", "/directory/desk/{submission}/takedown", desk_show.take_down),
)
"""What is named stands before what a `{step}` stands for."""
