"""`python -m app.cli`: the command line without its installed script. Nothing else lives here."""

from app.cli import main

main()
