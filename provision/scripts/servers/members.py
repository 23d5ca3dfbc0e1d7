"""Reads which servers an Auto Scaling group has, from what AWS answers: members.py GROUP FILE FILE.

The files are the answers to DescribeAutoScalingGroups and to DescribeInstances, in XML. Prints "ID STATE HEALTH PRIVATE-IP" for each
server, with - for an address that is not known yet, and "read" after the last: without it no list is believed, an empty one least.
Whatever is not expected ends it with 1: nothing is done on half an answer.
"""

import ipaddress
import re
import sys
import xml.etree.ElementTree as ElementTree

ID = re.compile(r"i-[0-9a-f]{8,17}\Z")
STATE = re.compile(r"[A-Za-z]+(:[A-Za-z]+)?\Z")
HEALTHS = {"healthy": "Healthy", "unhealthy": "Unhealthy"}


class Unexpected(Exception):
    """What AWS does not answer."""


def read(path, answer):
    """The root of an answer, without the namespaces, which name the API's version."""
    root = ElementTree.parse(path).getroot()
    for element in root.iter():
        element.tag = element.tag.rpartition("}")[2]
    if root.tag != answer:
        raise Unexpected(f"the answer is {root.tag}, not {answer}")
    if any((element.text or "").strip() for element in root.iter() if element.tag in ("nextToken", "NextToken")):
        raise Unexpected("the answer has another page")
    return root


def text(element, path):
    found = element.findtext(path)
    if found is None or not found.strip():
        raise Unexpected(f"the answer has no {path}")
    return found.strip()


def matched(pattern, value):
    if not pattern.match(value):
        raise Unexpected(f"{value!r} was not expected")
    return value


def members(group, path):
    """The servers of the group, as (id, state, health)."""
    root = read(path, "DescribeAutoScalingGroupsResponse")
    groups = root.findall("DescribeAutoScalingGroupsResult/AutoScalingGroups/member")
    if len(groups) != 1 or text(groups[0], "AutoScalingGroupName") != group:
        raise Unexpected(f"there is no group {group}")
    for one in groups[0].findall("Instances/member"):
        health = text(one, "HealthStatus").lower()
        if health not in HEALTHS:
            raise Unexpected(f"the health {health!r} was not expected")
        yield matched(ID, text(one, "InstanceId")), matched(STATE, text(one, "LifecycleState")), HEALTHS[health]


def addresses(path):
    """The private addresses by instance. One that is gone, or that begins, may have none."""
    found = {}
    for one in read(path, "DescribeInstancesResponse").findall("reservationSet/item/instancesSet/item"):
        address = (one.findtext("privateIpAddress") or "").strip()
        if address:
            found[matched(ID, text(one, "instanceId"))] = str(ipaddress.IPv4Address(address))
    return found


def main():
    if len(sys.argv) != 4:
        sys.exit("usage: members.py GROUP FILE FILE")
    group, servers, instances = sys.argv[1:]
    try:
        known = addresses(instances)
        lines = [" ".join((*one, known.get(one[0], "-"))) for one in members(group, servers)]
    except (Unexpected, ElementTree.ParseError, OSError, ValueError) as error:
        sys.exit(f"members.py: AWS does not say which servers there are: {error}")
    for line in (*lines, "read"):
        print(line)


if __name__ == "__main__":
    main()
