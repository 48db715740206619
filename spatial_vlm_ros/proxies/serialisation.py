"""The order of groups, and of proxies in a group (Proxy3D section 3.1, "Serialization")."""

from __future__ import annotations

from collections import deque

import numpy as np
from numpy.typing import NDArray

ORDERS = ("bfs", "dfs_mst", "greedy", "none")
Points = NDArray[np.float64]


def serialise(
    points: NDArray[np.float32] | Points,
    groups: NDArray[np.int64],
    order: str = "bfs",
    neighbours: int = 4,
) -> NDArray[np.int64]:
    """(K,) the indices of the proxies in the order in which a language model reads them.

    points: (K, 3) scene frame. groups: (K,) id of each proxy's group. Groups follow each other by
    ``order`` from the one whose centre is nearest the origin; in a group each proxy is followed by
    the nearest one left, the first is the one nearest the last of the group before.

    "bfs": breadth first on the graph of each group's ``neighbours`` nearest groups and the minimum
    spanning tree, nearest first. "dfs_mst": depth first on the tree. "greedy": always the nearest
    group left. "none": groups and proxies as they come.

    The order is total and depends on nothing but the arguments: ties go to the lower group id and
    then to the lower index.
    """
    if order not in ORDERS:
        raise ValueError(f"order {order!r} is not one of {', '.join(ORDERS)}")
    if order == "none" or len(points) == 0:
        return np.argsort(groups, kind="stable")
    points = points.astype(np.float64)
    ids, member = np.unique(groups, return_inverse=True)
    total = np.stack([np.bincount(member, axis, len(ids)) for axis in points.T], axis=1)
    centres = total / np.bincount(member)[:, None]
    by_group = np.split(np.argsort(member, kind="stable"), np.cumsum(np.bincount(member))[:-1])
    result: list[NDArray[np.int64]] = []
    last = np.zeros(3)
    for group in group_order(centres, order, neighbours):
        own = by_group[group]
        walk = own[_walk(points[own], last)]
        last = points[walk[-1]]
        result.append(walk)
    return np.concatenate(result)


def group_order(centres: Points, order: str, neighbours: int) -> list[int]:
    """The groups with the given centres (G, 3) in ``order``, from the one nearest the origin."""
    root = int(np.argmin((centres**2).sum(axis=1)))
    if order == "greedy":
        return _walk(centres - centres[root], np.zeros(3)).tolist()
    apart = ((centres[:, None] - centres[None]) ** 2).sum(axis=2)
    linked = _spanning_tree(apart, root)
    if order == "bfs":
        linked |= _nearest(apart, neighbours)
    children = [_nearest_first(np.flatnonzero(row), apart[i]) for i, row in enumerate(linked)]
    return _breadth_first(children, root) if order == "bfs" else _depth_first(children, root)


def _nearest_first(nodes: NDArray[np.int64], apart: Points) -> list[int]:
    return [int(i) for i in nodes[np.argsort(apart[nodes], kind="stable")]]


def _breadth_first(children: list[list[int]], root: int) -> list[int]:
    found, queue, seen = [], deque([root]), {root}
    while queue:
        node = queue.popleft()
        found.append(node)
        new = [child for child in children[node] if child not in seen]
        seen.update(new)
        queue.extend(new)
    return found


def _depth_first(children: list[list[int]], root: int) -> list[int]:
    found, stack, seen = [], [root], set()
    while stack:
        node = stack.pop()
        if node not in seen:
            seen.add(node)
            found.append(node)
            stack.extend(reversed([child for child in children[node] if child not in seen]))
    return found


def _spanning_tree(apart: Points, root: int) -> NDArray[np.bool_]:
    """(G, G) edges of the minimum spanning tree of squared distances (G, G), by Prim's algorithm.

    scipy's takes a distance of zero for a missing edge, and groups may have one centre.
    """
    linked = np.zeros(apart.shape, np.bool_)
    reach, parent = apart[root].copy(), np.full(len(apart), root)
    reach[root] = np.inf
    outside = np.ones(len(apart), np.bool_)
    outside[root] = False
    for _ in range(len(apart) - 1):
        node = int(np.argmin(np.where(outside, reach, np.inf)))
        linked[node, parent[node]] = linked[parent[node], node] = True
        outside[node] = False
        closer = outside & (apart[node] < reach)
        reach[closer], parent[closer] = apart[node][closer], node
    return linked


def _nearest(apart: Points, neighbours: int) -> NDArray[np.bool_]:
    """(G, G) whether one of two groups is among the other's nearest."""
    others = apart.copy()
    np.fill_diagonal(others, np.inf)
    near = np.argsort(others, axis=1, kind="stable")[:, : min(neighbours, len(apart) - 1)]
    linked = np.zeros(apart.shape, np.bool_)
    np.put_along_axis(linked, near, True, axis=1)
    return linked | linked.T


def _walk(points: Points, start: Points) -> NDArray[np.int64]:
    """(n,) each of the points (n, 3) followed by the nearest left, beginning near ``start``."""
    result, visited, here = np.empty(len(points), np.int64), np.zeros(len(points)), start
    for place in range(len(points)):
        away = points - here
        nearest = int((np.einsum("ij,ij->i", away, away) + visited).argmin())
        result[place], here, visited[nearest] = nearest, points[nearest], np.inf
    return result
