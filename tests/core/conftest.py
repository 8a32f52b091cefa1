"""Every story is replayed when it is over."""

import pytest

pytest.register_assert_rewrite("tests.core.story")

from tests.core.story import Story, page  # noqa: E402


@pytest.fixture
def tell():
    """Begin a story, of nodes or of a whole plan."""
    told = []

    def begin(*nodes, start="2026-11-22 12:00:00", plan=None, **more):
        story = Story(plan or page(*nodes, **more), start)
        told.append(story)
        return story

    yield begin
    for story in told:
        story.replays()
