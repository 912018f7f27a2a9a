"""The bad ones by the rules of interactive pages (5.H): what is changed about a page that is as it should be."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from tests.review.corpus import Change, app_page, csp, document, interactive

_ORIGINS = {
    "connectDomains": ["https://api.marginalia.example"],
    "resourceDomains": ["https://cdn.marginalia.example"],
}

BAD_PAGES: Mapping[str, Sequence[Change]] = {
    "L-512": [
        interactive(problem="The service says that there is none."),
        interactive(uri="https://marginalia.example/notes.html", problem="Its address does not begin with ui://."),
        interactive(mime="text/html"),
        interactive(html=""),
        interactive(visibility=["everybody"]),
        interactive(html=app_page("x" * 500_000).html, is_cut=True),
    ],
    "L-513": [
        csp(connectDomains=["*"]),
        csp(resourceDomains=["https://*.com"]),
        csp(resourceDomains=["https://*.co.uk"]),
        csp(resourceDomains=["https://*.github.io"]),
        csp(connectDomains=["http://api.marginalia.example"]),
        csp(connectDomains=["https://api.marginalia.example; script-src *"]),
        csp(resourceDomains=["'unsafe-eval'"]),
        csp(resourceDomains=["data:"]),
        csp(connectDomains="https://api.marginalia.example/a?b"),
        csp(connectDomains=[f"https://a{number}.marginalia.example" for number in range(60)]),
        csp(frameDomains=["https://player.marginalia.example"]),
        csp(baseUriDomains=["https://www.marginalia.example"]),
        csp(scriptDomains=["https://www.marginalia.example"]),
        interactive(ui={"csp": "default-src *"}),
        interactive(ui={}),
        interactive(ui={"csp": _ORIGINS, "permissions": {"camera": {}}}),
        document("<img src=//tracker.example/1.gif>"),
        document("<script>new WebSocket('wss://spy.example/')</script>"),
        document(
            "<style>@import '//tracker.example/a.css'; p { background: url(https://tracker.example/1.gif) }</style>"
        ),
        document("<script type=module>import { a } from 'https://spy.example/a.js'</script>"),
        document("<script>new XMLHttpRequest().open('POST', 'https://spy.example/')</script>"),
        document("<meta http-equiv=refresh content='0; url=https://elsewhere.example/'>"),
        document("<svg><image xlink:href='https://tracker.example/1.gif'/></svg>"),
        document("<img src='&#104;ttps://tracker.example/1.gif'>"),
        document("<img src=//api.marginalia.example/1.gif>" * 1_100 + "<img src=//tracker.example/1.gif>"),
        document(f"<img alt='{'a' * 2_000}' src=//tracker.example/1.gif>"),
        document("<iframe srcdoc='hello'></iframe>"),
        document("<script>top.location = 'https://api.marginalia.example'</script>"),
    ],
    "L-514": [interactive(screenshots=0), interactive(screenshots=2), interactive(screenshots=6)],
}
