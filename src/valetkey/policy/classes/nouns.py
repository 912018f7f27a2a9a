"""Nouns that say what a verb does which alone could be harmless: what is resolved, filed, opened, made for somebody."""

from __future__ import annotations

from typing import Final

from valetkey.policy.classes.lexicon import vocabulary

LOOKED_UP: Final = vocabulary(
    # What is found when it is resolved; anything else is settled.
    "name names id ids identifier address addresses url urls uri host hostname domain dns library libraries symbol",
    "symbols path paths reference references ref link links user users username handle ip entity entities location",
    "place package ticker channel doi alias contract conid organization company node query",
)
SETTLED: Final = vocabulary(
    "thread threads incident incidents alert alerts issue issues ticket tickets conversation conversations comment",
    "comments finding findings dispute disputes case cases discussion escrow escrows claim claims complaint complaints",
    "order orders request requests conflict conflicts violation violations bet bets market markets",
)
FILED: Final = vocabulary(
    "claim claims tax taxes return lawsuit complaint motion patent trademark dispute report appeal"
)
PUBLIC: Final = vocabulary("post posts tweet tweets video videos reel photo linkedin facebook instagram reddit youtube")
DOORS: Final = vocabulary("door doors gate gates garage barrier valve")
ACCESS: Final = vocabulary(
    # Who makes one of these gives somebody a way in.
    "key keys token tokens secret secrets credential credentials password passwords webhook webhooks access",
    "permission permissions role roles user users member members certificate certificates admin invite passcode otp",
)
SETS_GOING: Final = vocabulary("start resume submit apply process initiate register accept decline capture enable")
"""Who does one of these to what people write together (a campaign, a form) does more than to write it."""
TRACKED: Final = vocabulary(
    "issue task tasks sprint timer card ticket todo thread milestone epic incident event meeting label tag filter",
    "template comment draft review document doc page",
)
REFERS: Final = vocabulary("id ids uuid token name ref reference number key host hosts user username")
"""Arguments by which one says to what or to whom it is done."""
TALKS: Final = vocabulary("thread threads conversation conversations chat chats discussion discussions channel room")
SAID: Final = vocabulary("message content text body messages html markdown")
REACHES: Final = vocabulary("email emails phone recipient recipients mobile")
"""Arguments by which somebody is written to."""
