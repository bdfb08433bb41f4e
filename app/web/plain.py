"""Pages that stand without the dashboard's templates: signing in, what was refused.

Everything said in them is escaped here; what is said is decided elsewhere.
"""

from __future__ import annotations

from html import escape

from starlette.responses import HTMLResponse, Response

STYLE = """\
:root { color-scheme: light dark; --ink: oklch(0.25 0.01 260); --quiet: oklch(0.5 0.01 260); --paper: oklch(0.99 0 0);
  --line: oklch(0.88 0.005 260); --accent: oklch(0.48 0.15 262); --on-accent: oklch(0.99 0 0); }
@media (prefers-color-scheme: dark) { :root { --ink: oklch(0.93 0.005 260); --quiet: oklch(0.72 0.01 260);
  --paper: oklch(0.19 0.01 260); --line: oklch(0.35 0.01 260); --accent: oklch(0.75 0.12 262);
  --on-accent: oklch(0.19 0.01 260); } }
* { box-sizing: border-box; }
body { margin: 0; background: var(--paper); color: var(--ink); font: 15px/1.5 system-ui, sans-serif; }
main { max-width: 72rem; margin: 0 auto; padding: 48px 20px; }
main.narrow { max-width: 30rem; padding-top: 96px; }
h1 { font-size: 24px; line-height: 1.25; margin: 0 0 8px; }
h2 { font-size: 18px; margin: 40px 0 8px; }
h3 { font-size: 15px; margin: 32px 0 4px; overflow-wrap: anywhere; }
p { margin: 0 0 12px; max-width: 72ch; }
.quiet { color: var(--quiet); }
.said { border-left: 3px solid var(--accent); padding-left: 12px; }
code, .mono { font: 13px/1.5 ui-monospace, monospace; overflow-wrap: anywhere; }
label { display: block; margin: 20px 0 4px; font-weight: 600; }
input { width: 100%; min-height: 44px; padding: 8px 12px; border: 1px solid var(--quiet); border-radius: 6px;
  background: var(--paper); color: inherit; font: inherit; }
button { min-height: 44px; margin-top: 16px; padding: 8px 20px; border: 0; border-radius: 6px;
  background: var(--accent); color: var(--on-accent); font: inherit; font-weight: 600; cursor: pointer; }
:focus-visible { outline: 2px solid var(--accent); outline-offset: 2px; }
a { color: var(--accent); }
table { width: 100%; border-collapse: collapse; table-layout: fixed; font-size: 13px; margin: 8px 0 16px; }
caption { text-align: left; padding: 0 0 4px; }
th { width: 20%; }
th + td { width: 25%; }
form + p { margin-top: 24px; }
th, td { text-align: left; vertical-align: top; padding: 6px 12px 6px 0; border-top: 1px solid var(--line); }
th { font-weight: 600; }
summary { cursor: pointer; min-height: 24px; }
@media (max-width: 640px) { main.narrow { padding-top: 40px; }
  td, th, th + td { display: block; width: auto; padding: 2px 0; }
  td { border-top: 0; } thead { display: none; } }
"""
STYLESHEET = "/login/style.css"


def page(title: str, inner: str, *, status: int = 200, narrow: bool = False) -> HTMLResponse:
    """Return a page around HTML that is escaped already."""
    text = (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f'<title>{escape(title)} · Keyrail</title><link rel="stylesheet" href="{STYLESHEET}"></head>'
        f"<body><main{' class=narrow' if narrow else ''}>{inner}</main></body></html>\n"
    )
    return HTMLResponse(text, status, headers={"cache-control": "no-store"})


def style() -> Response:
    """Return the stylesheet of these pages."""
    return Response(STYLE, media_type="text/css", headers={"cache-control": "public, max-age=3600"})


def sign_in(*, next_: str, said: str = "", status: int = 200) -> HTMLResponse:
    """Return the page on which people sign in; `said` is what went wrong the last time."""
    told = f'<p class="said" role="alert" id="said">{escape(said)}</p>' if said else ""
    described = ' aria-describedby="said" aria-invalid="true"' if said else ""
    inner = (
        "<h1>Sign in</h1>"
        '<p class="quiet">With a token of Keyrail, or with the link that <code>keyrail serve</code> printed when it '
        f"began.</p>{told}"
        '<form method="post" action="/login">'
        '<label for="token">Token</label>'
        f'<input id="token" name="token" type="password" autocomplete="current-password" required autofocus{described}>'
        f'<input type="hidden" name="next" value="{escape(next_)}">'
        "<button>Sign in</button></form>"
        '<p class="quiet">No token? Whoever runs Keyrail makes one with '
        "<code>keyrail token create NAME</code>.</p>"
    )
    return page("Sign in", inner, status=status, narrow=True)


def refusal(title: str, said: str, *, status: int) -> HTMLResponse:
    """Return the page that says why something is not shown or done."""
    inner = f'<h1>{escape(title)}</h1><p>{escape(said)}</p><p><a href="/">To the overview</a></p>'
    return page(title, inner, status=status, narrow=True)
