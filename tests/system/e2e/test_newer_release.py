"""What a newer release has stored, over HTTPS: in the minutes of a release, and after going back from one."""

import json

from tests.infra.cloud.stories import OPERATOR, enrolled, ok, ordered
from tests.system.e2e.world import Deployed

UNKNOWN = {"of_the_next_release": {"since": "2027-01-01", "parts": [1, 2]}}


def test_fields_that_it_does_not_know_are_read_over_and_kept(world: Deployed) -> None:
    member_id = enrolled(world)
    ordered(world, member_id)
    place = (f"MEMBER#{member_id}", "ACCOUNT")
    item = world.item(*place)
    world.put_item({**item, "state": {"S": json.dumps(json.loads(item["state"]["S"]) | UNKNOWN)}})
    assert not UNKNOWN.keys() & ok(world, "GET", f"/v1/members/{member_id}/account").keys()
    ordered(world, member_id)
    assert len(ok(world, "GET", f"/v1/members/{member_id}/entries")["items"]) == 3
    state = json.loads(world.item(*place)["state"]["S"])
    assert {name: state[name] for name in UNKNOWN} == UNKNOWN


def test_what_only_a_newer_release_can_read_waits_for_it_untouched(world: Deployed) -> None:
    member_id = enrolled(world)
    path, place = f"/v1/members/{member_id}/account", (f"MEMBER#{member_id}", "ACCOUNT")
    item = world.item(*place)
    newer = {**item, "schema": {"N": str(int(item["schema"]["N"]) + 1)}}
    world.put_item(newer)
    reply = world.call("GET", path, scope=OPERATOR)
    assert (reply.status, reply.body["code"]) == (503, "try_again")
    assert int(reply.headers["Retry-After"]) > 0
    assert world.item(*place) == newer
    world.put_item(item)
    ok(world, "GET", path, scope=OPERATOR)
