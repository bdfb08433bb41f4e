"""Paging, access, changes and faults of the simulated site, as a client meets them."""

import hashlib
import hmac
import json

import httpx
import pytest

from app.demo.jira import application
from app.demo.site import OKR_PROGRESS
from app.web.server import serve

API = "/rest/api/3"


async def post(jira, path, **body):
    return await jira.post(f"{API}{path}", json=body)


# Searching


async def test_ids_come_by_thousands_and_whole_issues_by_hundreds(site, search):
    for number in range(250):
        site.create("CORE", "Task", f"Task {number}")
    ids = await search("project = CORE", ["id"], maxResults=5000)
    assert len(ids["issues"]) == 251
    assert ids["issues"][0].keys() == {"id"}
    assert ids["isLast"]
    assert "nextPageToken" not in ids
    page = await search("project = CORE", ["summary"], maxResults=5000)
    assert (len(page["issues"]), page["isLast"]) == (100, False)
    assert len((await search("project = CORE", ["summary"]))["issues"]) == 50


async def test_pages_hold_each_issue_once_and_end(site, search):
    for number in range(7):
        site.create("PAY", "Task", f"Task {number}")
    seen, token, pages = [], None, 0
    while True:
        page = await search("project = PAY ORDER BY id", maxResults=4, **({"nextPageToken": token} if token else {}))
        seen += [issue["key"] for issue in page["issues"]]
        token, pages = page.get("nextPageToken"), pages + 1
        if page["isLast"]:
            break
    assert seen == [f"PAY-{n}" for n in range(1, 11)]
    assert (pages, token) == (3, None)


async def test_a_token_belongs_to_its_query(jira, search):
    token = (await search("project = PAY", maxResults=1))["nextPageToken"]
    answer = await post(jira, "/search/jql", jql="project = CORE", nextPageToken=token)
    assert answer.status_code == 400
    assert "token is invalid" in answer.json()["errorMessages"][0]


@pytest.mark.parametrize(
    "wrong",
    [{"startAt": 0}, {"validateQuery": True}, {"expand": ["names"]}, {"reconcileIssues": ["PAY-1"]},
     {"reconcileIssues": list(range(51))}, {"properties": list("abcdef")}],
)  # fmt: skip
async def test_search_takes_no_more_than_it_describes(jira, wrong):
    answer = await post(jira, "/search/jql", jql="project = PAY", **wrong)
    assert answer.status_code == 400
    assert answer.json()["errorMessages"]


async def test_the_default_field_is_the_id(jira):
    answer = await post(jira, "/search/jql", jql="key = PAY-1")
    assert answer.json()["issues"] == [{"id": "10101"}]


async def test_the_old_search_is_gone(jira):
    answer = await jira.get(f"{API}/search", params={"jql": "project = PAY"})
    assert answer.status_code == 410
    assert "has been removed" in answer.json()["errorMessages"][0]


async def test_fields_are_chosen(search, jira):
    issue = (await search("key = PAY-2", ["*all", "-summary"]))["issues"][0]["fields"]
    assert "summary" not in issue
    assert issue["customfield_10016"] == 3
    assert issue["parent"]["key"] == "PAY-1"
    only = (await search("key = PAY-2", ["status", "labels"]))["issues"][0]["fields"]
    assert only.keys() == {"status", "labels"}
    assert only["status"]["statusCategory"]["key"] == "done"
    bulk = (await post(jira, "/issue/bulkfetch", issueIdsOrKeys=["PAY-2"])).json()["issues"][0]["fields"]
    assert "issuelinks" not in bulk
    assert bulk["updated"] == "2026-10-31T10:30:00.000+0100"


# Bulk reads


async def test_bulk_fetch_leaves_out_what_is_not_there_and_sorts_by_id(jira, site):
    site.find("PAY-3").secured = True
    wanted = ["10104", "PAY-1", "PAY-3", "424242", "10101"]
    answer = (await post(jira, "/issue/bulkfetch", issueIdsOrKeys=wanted, fields=["summary"])).json()
    assert [issue["key"] for issue in answer["issues"]] == ["PAY-1", "CORE-1"]
    assert answer["issueErrors"] == []


async def test_bulk_fetch_takes_a_hundred(jira):
    many = [str(n) for n in range(101)]
    assert (await post(jira, "/issue/bulkfetch", issueIdsOrKeys=many)).status_code == 400
    assert (await post(jira, "/issue/bulkfetch", issueIdsOrKeys=many[:100])).status_code == 200


async def test_bulk_changelogs_are_filtered_paged_and_oldest_first(jira):
    body = {"issueIdsOrKeys": ["PAY-2", "PAY-3"], "fieldIds": ["status", "customfield_10016"], "maxResults": 2}
    first = (await post(jira, "/changelog/bulkfetch", **body)).json()
    rest = (await post(jira, "/changelog/bulkfetch", **body, nextPageToken=first["nextPageToken"])).json()
    entries = [e for page in (first, rest) for log in page["issueChangeLogs"] for e in log["changeHistories"]]
    changes = [(i["field"], i["from"], i["fromString"], i["to"], i["toString"]) for e in entries for i in e["items"]]
    assert changes == [
        ("Story point estimate", None, "2", None, "3"),
        ("status", "10000", "To Do", "3", "In Progress"),
        ("status", "3", "In Progress", "10002", "Done"),
    ]
    assert rest["nextPageToken"] is None
    assert [log["issueId"] for log in first["issueChangeLogs"]] == ["10102"]


async def test_bulk_changelogs_know_their_limits(jira):
    assert (await post(jira, "/changelog/bulkfetch", issueIdsOrKeys=[str(n) for n in range(1001)])).status_code == 400
    ten = [f"customfield_{n}" for n in range(11)]
    assert (await post(jira, "/changelog/bulkfetch", issueIdsOrKeys=["1"], fieldIds=ten)).status_code == 400


async def test_done_brings_a_resolution_in_a_classic_project_alone(site):
    classic, team_managed = site.find("PAY-3"), site.find("CORE-1")
    site.change(classic, status="Won't Do")
    site.change(team_managed, status="Done")
    assert [item.field for item in classic.histories[-1].items] == ["status", "resolution"]
    assert classic.resolution == "Won't Do"
    assert (team_managed.resolution, team_managed.resolved) == (None, None)
    site.change(classic, status="To Do")
    assert (classic.resolution, classic.resolved) == (None, None)


# Moves, deletes, permissions


async def test_a_moved_issue_keeps_its_id_and_is_found_by_both_keys(site, jira, keys):
    site.move(site.find("PAY-3"), "CORE")
    old, new = await jira.get(f"{API}/issue/PAY-3"), await jira.get(f"{API}/issue/CORE-2")
    assert (old.json()["id"], old.json()["key"]) == ("10103", "CORE-2")
    assert new.json() == old.json()
    assert await keys("project = PAY ORDER BY id") == ["PAY-1", "PAY-2"]
    entry = (await jira.get(f"{API}/issue/10103/changelog")).json()["values"][-1]
    assert [(i["field"], i["fromString"], i["toString"]) for i in entry["items"]] == [
        ("project", "Payments", "Core"),
        ("Key", "PAY-3", "CORE-2"),
    ]


async def test_a_deleted_issue_is_gone_and_its_children_stay(site, jira, keys):
    site.delete(site.find("PAY-1"))
    assert (await jira.get(f"{API}/issue/PAY-1")).status_code == 404
    assert await keys("project = PAY ORDER BY id") == ["PAY-2", "PAY-3"]
    assert "parent" not in (await jira.get(f"{API}/issue/PAY-2")).json()["fields"]


async def test_a_hidden_issue_and_a_hidden_project_look_like_nothing(site, jira, keys):
    site.find("PAY-2").secured = True
    assert await keys("project = PAY ORDER BY id") == ["PAY-1", "PAY-3"]
    site.project("CORE").hidden = True
    assert (await jira.get(f"{API}/issue/CORE-1")).status_code == 404
    projects = (await jira.get(f"{API}/project/search")).json()["values"]
    assert [project["key"] for project in projects] == ["PAY"]
    refused = await jira.get(f"{API}/mypermissions", params={"projectKey": "CORE", "permissions": "BROWSE_PROJECTS"})
    assert refused.status_code == 404


async def test_links_are_told_on_both_sides(site, jira):
    site.link(site.find("CORE-1"), site.find("PAY-3"))
    blocked = (await jira.get(f"{API}/issue/PAY-3")).json()["fields"]["issuelinks"]
    blocking = (await jira.get(f"{API}/issue/CORE-1")).json()["fields"]["issuelinks"]
    assert [link["inwardIssue"]["key"] for link in blocked] == ["CORE-1"]
    assert [link["outwardIssue"]["key"] for link in blocking] == ["PAY-3"]
    site.unlink(site.find("CORE-1"), site.find("PAY-3"))
    assert (await jira.get(f"{API}/issue/PAY-3")).json()["fields"]["issuelinks"] == []


# Access


async def test_a_wrong_token_is_told_apart_from_none(site, face):
    transport = httpx.ASGITransport(app=face)
    async with httpx.AsyncClient(transport=transport, base_url=site.url) as nobody:
        wrong = await nobody.get(f"{API}/serverInfo", auth=(site.email, "wrong"))
        assert (wrong.status_code, wrong.headers["X-Seraph-LoginReason"]) == (401, "AUTHENTICATED_FAILED")
        assert (await nobody.get(f"{API}/myself")).status_code == 401
        assert (await nobody.get(f"{API}/serverInfo")).json()["deploymentType"] == "Cloud"
        assert (await nobody.post(f"{API}/search/jql", json={"jql": "project = PAY"})).json()["issues"] == []
        assert (await nobody.get("/_edge/tenant_info")).json() == {"cloudId": site.cloud_id}
        through = await nobody.get(f"/ex/jira/{site.cloud_id}{API}/myself", auth=(site.email, site.token))
        assert through.json()["accountId"] == site.me.id


async def test_stale_credentials_are_anonymous_and_say_so(site, jira):
    site.faults.stale_credentials = True
    answer = await post(jira, "/search/jql", jql="project = PAY")
    assert (answer.status_code, answer.json()["issues"]) == (200, [])
    assert answer.headers["X-Seraph-LoginReason"] == "AUTHENTICATED_FAILED"


# Switches


async def test_epoch_milliseconds_can_be_refused(site, jira, keys):
    site.faults.refuse_epoch_ms = True
    answer = await post(jira, "/search/jql", jql="updated >= 1732877091000")
    assert answer.status_code == 400
    assert await keys('updated >= "2026-10-31 10:30"') == ["PAY-2"]


async def test_the_index_lags_and_direct_reads_do_not(site, clock, jira, search):
    site.faults.index_lag = 60
    issue = site.find("PAY-3")
    site.change(issue, status="Done")
    fresh = site.create("PAY", "Task", "Brand new")

    async def found(**more):
        page = await search("project = PAY AND statusCategory = Done ORDER BY id", **more)
        return [row["key"] for row in page["issues"]]

    assert await found() == ["PAY-2"]
    assert await found(reconcileIssues=[issue.id]) == ["PAY-2", "PAY-3"]
    assert (await jira.get(f"{API}/issue/{issue.id}")).json()["fields"]["status"]["name"] == "Done"
    bulk = (await post(jira, "/issue/bulkfetch", issueIdsOrKeys=[str(fresh.id)])).json()
    assert [row["key"] for row in bulk["issues"]] == ["PAY-4"]
    assert len((await search("project = PAY"))["issues"]) == 3
    clock.forward(61)
    assert await found() == ["PAY-2", "PAY-3"]
    assert len((await search("project = PAY"))["issues"]) == 4


async def test_the_index_shows_an_issue_as_it_was(site, clock, search):
    site.faults.index_lag = 60
    issue = site.find("PAY-3")
    site.change(issue, summary="First")
    clock.forward(50)
    site.change(issue, summary="Second")
    clock.forward(20)
    shown = (await search("key = PAY-3", ["summary"]))["issues"][0]["fields"]["summary"]
    assert shown == "First"


@pytest.mark.parametrize(
    "reason",
    ["jira-quota-global-based", "jira-quota-tenant-based", "jira-burst-based", "jira-per-issue-on-write"],
)
async def test_rate_limits_give_their_reason_once(site, jira, reason):
    site.faults.add("rate_limit", reason=reason, retry_after=7, path="/field")
    assert (await jira.get(f"{API}/status")).status_code == 200
    limited = await jira.get(f"{API}/field")
    assert limited.status_code == 429
    assert limited.headers["RateLimit-Reason"] == reason
    assert limited.headers["Retry-After"] == "7"
    assert limited.headers["X-RateLimit-Reset"] == "2026-11-18T09:30:07Z"
    assert (await jira.get(f"{API}/field")).status_code == 200


async def test_the_gateway_limits_without_a_word(site, jira):
    site.faults.add("rate_limit", reason=None)
    limited = await jira.get(f"{API}/field")
    assert limited.status_code == 429
    assert "Retry-After" not in limited.headers


async def test_faults_wait_and_repeat(site, jira):
    site.faults.add("unavailable", after=1, times=2)
    assert [(await jira.get(f"{API}/status")).status_code for _ in range(4)] == [200, 502, 502, 200]


async def test_a_login_page_and_broken_json_come_with_status_200(site, jira):
    site.faults.add("login_page")
    page = await jira.get(f"{API}/status")
    assert (page.status_code, page.headers["Content-Type"].partition(";")[0]) == (200, "text/html")
    site.faults.add("malformed")
    broken = await jira.get(f"{API}/status")
    assert broken.status_code == 200
    with pytest.raises(json.JSONDecodeError):
        broken.json()


async def test_a_repeated_token_leads_nowhere(site, search):
    site.faults.repeat_page_token = True
    first = await search("project = PAY", maxResults=1)
    second = await search("project = PAY", maxResults=1, nextPageToken=first["nextPageToken"])
    assert second["nextPageToken"] == first["nextPageToken"]


async def test_empty_pages_carry_a_token(site, search):
    site.faults.empty_pages = True
    empty = await search("project = PAY ORDER BY id")
    assert (empty["issues"], empty["isLast"]) == ([], False)
    full = await search("project = PAY ORDER BY id", nextPageToken=empty["nextPageToken"])
    assert [issue["key"] for issue in full["issues"]] == ["PAY-1", "PAY-2", "PAY-3"]


async def test_bulk_changelogs_may_tell_time_as_a_number(site, jira):
    site.faults.changelog_epoch = True
    answer = (await post(jira, "/changelog/bulkfetch", issueIdsOrKeys=["PAY-2"], fieldIds=["status"])).json()
    assert answer["issueChangeLogs"][0]["changeHistories"][-1]["created"] == 1_793_439_000_000


# Writing


async def test_a_remote_link_is_one_per_global_id_and_forgets_what_is_left_out(jira):
    path = f"{API}/issue/PAY-1/remotelink"
    target = {"url": "https://k.example/1", "title": "62 %", "summary": "On track"}
    first = await jira.post(path, json={"globalId": "k:1", "relationship": "counts for", "object": target})
    second = await jira.post(path, json={"globalId": "k:1", "object": {"url": "https://k.example/1", "title": "63 %"}})
    assert (first.status_code, second.status_code) == (201, 200)
    assert second.json()["id"] == first.json()["id"]
    links = (await jira.get(path)).json()
    assert [(link["object"], link.get("relationship")) for link in links] == [
        ({"url": "https://k.example/1", "title": "63 %"}, None)
    ]
    assert (await jira.delete(path, params={"globalId": "k:1"})).status_code == 204
    assert (await jira.get(path)).json() == []


async def test_a_quiet_edit_without_admin_rights_writes_nothing(site, jira):
    edit = {"fields": {OKR_PROGRESS: 62.0}}
    quiet = await jira.put(f"{API}/issue/PAY-1", params={"notifyUsers": "false"}, json=edit)
    assert quiet.status_code == 403
    assert site.find("PAY-1").custom == {}
    assert (await jira.put(f"{API}/issue/PAY-1", json=edit)).status_code == 204
    assert (await jira.get(f"{API}/issue/PAY-1")).json()["fields"][OKR_PROGRESS] == 62.0


async def test_an_unknown_field_is_refused_by_name(jira):
    answer = await jira.put(f"{API}/issue/PAY-1", json={"fields": {"customfield_1": 1}})
    assert answer.status_code == 400
    assert "customfield_1" in answer.json()["errors"]


async def test_properties_are_kept_apart_from_the_issue(site, jira):
    path, before = f"{API}/issue/PAY-1/properties/keyrail", site.find("PAY-1").updated
    assert [(await jira.put(path, json={"p": n})).status_code for n in (1, 2)] == [201, 200]
    assert (await jira.get(path)).json() == {"key": "keyrail", "value": {"p": 2}}
    assert site.find("PAY-1").updated == before
    assert (await jira.put(path, content=b'"' + b"x" * 32_768 + b'"')).status_code == 400


async def test_a_comment_is_a_document(jira):
    path = f"{API}/issue/PAY-1/comment"
    assert (await jira.post(path, json={"body": "plain text"})).status_code == 400
    document = {"type": "doc", "version": 1, "content": []}
    made = await jira.post(path, json={"body": document, "properties": [{"key": "keyrail", "value": {"m": 1}}]})
    changed = await jira.put(f"{path}/{made.json()['id']}", json={"body": document})
    assert (made.status_code, changed.status_code) == (201, 200)
    assert (await jira.get(path)).json()["total"] == 1


async def test_nothing_is_written_without_permission(site, jira):
    site.permissions.clear()
    link = {"globalId": "k", "object": {"url": "https://k.example", "title": "t"}}
    assert (await jira.post(f"{API}/issue/PAY-1/remotelink", json=link)).status_code == 403
    assert (await jira.put(f"{API}/issue/PAY-1", json={"fields": {"labels": []}})).status_code == 403
    held = await jira.get(f"{API}/mypermissions", params={"projectKey": "PAY", "permissions": "EDIT_ISSUES"})
    assert held.json()["permissions"]["EDIT_ISSUES"]["havePermission"] is False


# Webhooks


def test_a_webhook_is_signed_over_its_bytes_and_has_the_older_shapes(site, face):
    change = site.change(site.find("PAY-3"), status="Done")
    sent = face.webhook_for(change)
    digest = hmac.new(site.webhook_secret.encode(), sent.body, hashlib.sha256).hexdigest()
    assert sent.headers["X-Hub-Signature"] == f"sha256={digest}"
    body = json.loads(sent.body)
    assert (body["webhookEvent"], body["issue_event_type_name"]) == ("jira:issue_updated", "issue_generic")
    assert [item["field"] for item in body["changelog"]["items"]] == ["status", "resolution"]
    fields = body["issue"]["fields"]
    assert "hierarchyLevel" not in fields["issuetype"]
    assert "parent" not in fields
    assert fields["description"] == "Ask once."
    again = face.webhook_for(change)
    assert again.headers == sent.headers
    assert (
        again.headers["X-Atlassian-Webhook-Identifier"]
        != face.webhook_for(site.changes[0]).headers["X-Atlassian-Webhook-Identifier"]
    )


async def test_admin_webhooks_can_be_registered_and_dynamic_ones_cannot(jira, site):
    site.permissions.add("ADMINISTER")
    hook = {
        "name": "Keyrail",
        "url": "https://k.example/webhooks/jira",
        "events": ["jira:issue_updated"],
        "secret": "s",
    }
    made = await jira.post("/rest/webhooks/1.0/webhook", json=hook)
    assert (made.status_code, made.json()["isSigned"]) == (201, True)
    assert len((await jira.get("/rest/webhooks/1.0/webhook")).json()) == 1
    assert (await jira.delete(made.json()["self"])).status_code == 204
    assert (await jira.post(f"{API}/webhook", json={"url": "x", "webhooks": []})).status_code == 403


# Over real HTTP


async def test_serves_on_a_free_port_and_cuts_a_body_short(site):
    async with serve(application(site)) as url, httpx.AsyncClient(base_url=url, auth=(site.email, site.token)) as jira:
        assert url.startswith("http://127.0.0.1:")
        answer = await jira.get(f"{API}/serverInfo")
        assert answer.headers["Date"] == "Wed, 18 Nov 2026 09:30:00 GMT"
        site.faults.add("cut")
        with pytest.raises(httpx.RemoteProtocolError):
            await jira.get(f"{API}/status")
        page = await jira.get("/browse/PAY-1")
        assert "<h1>PAY-1: One-click pay</h1>" in page.text
    async with httpx.AsyncClient() as late:
        with pytest.raises(httpx.ConnectError):
            await late.get(f"{url}/browse/PAY-1")


async def test_a_port_that_is_taken_is_told(site):
    async with serve(application(site)) as url:
        port = int(url.rpartition(":")[2])
        with pytest.raises(OSError, match="in use"):
            async with serve(application(site), port):
                pass
