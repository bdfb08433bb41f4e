import signal, sqlite3, os
def say(label, ended):
    print(f"===== {label}: exit {ended.code}\n{ended.text[-1500:]}--- err\n{ended.err[-2500:]}")

def go(c, label, *args, **more):
    say(label, c.start(*args, **more).wait())

def test_all(published):
    c = published
    original = c.file.read_text()
    def reset():
        c.file.write_text(original)
    go(c, "wrong token", "sync", env={"DEMO_JIRA_TOKEN": "wrong"}); print(len(c.asked()))
    c.site.faults.add("login_page", path="/search/jql", times=9)
    go(c, "html login", "sync"); c.site.faults.queue.clear()
    c.site.faults.add("cut", path="/search/jql", times=1)
    go(c, "cut once", "sync"); c.site.faults.queue.clear()
    c.site.faults.add("malformed", path="/issue/bulkfetch", times=1)
    go(c, "malformed once", "backfill"); c.site.faults.queue.clear()
    c.site.faults.repeat_page_token = True
    for i in [i for i in c.site.issues.values() if i.type=="Story"][:150]: c.site.change(i, points=2)
    go(c, "repeated token", "sync")
    c.site.faults.repeat_page_token = False
    c.site.permissions.discard("BROWSE_PROJECTS")
    go(c, "forbidden check", "check"); c.site.permissions.add("BROWSE_PROJECTS")
    c.edit("connections:\n", "connections:\n  other:\n    type: jira\n    url: http://127.0.0.1:9\n    auth: {email: a@example.com, token: \"${env:OTHER}\"}\n    deployment: cloud\n    scope: {projects: [X]}\n")
    go(c, "broken beside good", "sync", env={"OTHER": "x"})
    go(c, "broken beside good json", "sync", "--json", env={"OTHER": "x"})
    go(c, "show with stale", "show", "O1", env={"OTHER": "x"})
    reset()
    for n in (4096, 200_000, 700_000):
        go(c, f"disk {n}", "backfill", largest_file=n)
        go(c, f"after disk {n}", "show", "I1")
    db = c.folder/".keyrail"/"keyrail.db"
    with sqlite3.connect(db) as con: con.execute("update alembic_version set version_num='9999'")
    con.close()
    for cmd in (["show"],["sync"],["db","status"],["db","upgrade"], ["export", "items"], ["check"], ["publish", "--plan"]):
        go(c, f"ahead {cmd}", *cmd)
    go(c, "not a db", "show", env={"KEYRAIL_DATABASE_URL": f"sqlite:///{c.file}"})
    go(c, "bad url", "show", env={"KEYRAIL_DATABASE_URL": "mysql://x"})
    go(c, "pg down", "show", env={"KEYRAIL_DATABASE_URL": "postgresql://u:sekret@127.0.0.1:9/x"})
    go(c, "folder missing", "show", env={"KEYRAIL_DATABASE_URL": "sqlite:////nonexistent/x/y.db"})
    go(c, "empty", "show", env={"KEYRAIL_DATABASE_URL": f"sqlite:///{c.folder}/new.db"})
    go(c, "empty explain", "explain", "I1", env={"KEYRAIL_DATABASE_URL": f"sqlite:///{c.folder}/new.db"})
    go(c, "empty publish", "publish", env={"KEYRAIL_DATABASE_URL": f"sqlite:///{c.folder}/new.db"})
    go(c, "empty census", "census", env={"KEYRAIL_DATABASE_URL": f"sqlite:///{c.folder}/new.db"})
    go(c, "empty export", "export", "items", env={"KEYRAIL_DATABASE_URL": f"sqlite:///{c.folder}/new.db"})
    go(c, "empty export csv", "export", "items", "--format", "csv", env={"KEYRAIL_DATABASE_URL": f"sqlite:///{c.folder}/new.db"})
    go(c, "empty coverage", "coverage", env={"KEYRAIL_DATABASE_URL": f"sqlite:///{c.folder}/new.db"})
    go(c, "empty replay", "replay", env={"KEYRAIL_DATABASE_URL": f"sqlite:///{c.folder}/new.db"})
    os.chmod(c.file, 0o600); c.file.write_bytes(b"\xff\xfe\x00bad")
    go(c, "binary file", "show")
    c.file.unlink(); c.file.mkdir()
    go(c, "dir file", "show")
