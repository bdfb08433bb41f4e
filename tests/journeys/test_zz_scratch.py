import signal
def say(label, ended):
    print(f"===== {label}: exit {ended.code}\n{ended.text[-1500:]}--- err\n{ended.err[-2500:]}")

def go(c, label, *args, **more):
    say(label, c.start(*args, **more).wait())

def test_all(company):
    c = company
    original = c.file.read_text()
    def reset():
        c.file.write_text(original)
    go(c, "wrong token", "sync", env={"DEMO_JIRA_TOKEN": "wrong"})
    go(c, "wrong token check", "check", env={"DEMO_JIRA_TOKEN": "wrong"})
    go(c, "missing var", "sync", env={"DEMO_JIRA_TOKEN": None})
    go(c, "missing var show", "show", "I1", env={"DEMO_JIRA_TOKEN": None})
    go(c, "empty var", "sync", env={"DEMO_JIRA_TOKEN": ""})
    c.site.faults.stale_credentials = True
    go(c, "anonymous", "sync")
    go(c, "anonymous backfill", "backfill")
    c.site.faults.stale_credentials = False
    c.edit("projects: [PAY, CORE, MER]", "projects: [PAY, COER, MER]")
    go(c, "unknown project", "sync"); reset()
    c.edit("scope: {projects: [PAY, CORE, MER]}", 'scope: {jql: "projct = PAY AND"}')
    go(c, "broken jql", "backfill"); 
    go(c, "broken jql check", "check"); reset()
    c.edit("objectives:\n", "objectives: [\n")
    go(c, "bad yaml", "show"); reset()
    c.edit("dimensions: {product: Checkout}\n    key", "dimensions: {prodct: Checkout}\n    key")
    c.edit("kind: number, start: 2.1", "kind: numbr, start: 2.1")
    go(c, "two errors", "show"); go(c, "two errors check", "check", "--offline"); go(c, "two errors check json", "check", "--offline", "--json");reset()
    c.edit('initiative: "{id}"', 'initiative: I99')
    go(c, "unknown initiative in rule", "show", "I1"); go(c, "unknown initiative in rule", "check", "--offline");reset()
    c.edit("okr/(?P<id>[\\\\w-]+)", "okr/(?=x)(?P<id>.+)")
    go(c, "re2", "show"); reset()
    c.edit("estimate: Story point estimate", "estimate: Story pints")
    go(c, "estimate", "sync"); go(c, "estimate check", "check"); reset()
    go(c, "show", "show", "KR99")
    go(c, "explain", "explain", "PAY-9999")
    go(c, "timeframe", "show", "--timeframe", "nope")
    go(c, "usage", "shwo")
    go(c, "usage2", "show", "--jsn")
    go(c, "no command")
    c.file.rename(c.folder / "x.yaml")
    go(c, "no file", "show"); go(c, "no file check", "check")
    (c.folder / "x.yaml").rename(c.file)
    c.edit("statuses:", "region: NO\n    statuses:") if False else None
