"""All judges, one after another."""

from __future__ import annotations

from tests.chaos.evidence.evidence import Evidence, Violation
from tests.chaos.judge.ends import judge_ends, judge_prompts
from tests.chaos.judge.leftovers import judge_leftovers, judge_memory
from tests.chaos.judge.pauses import judge_pauses
from tests.chaos.judge.posts import judge_posts
from tests.chaos.judge.streams import judge_streams
from tests.chaos.judge.texts import judge_logs, judge_pages
from tests.chaos.judge.transcripts import judge_transcripts

JUDGES = (
    judge_pages,
    judge_logs,
    judge_streams,
    judge_transcripts,
    judge_posts,
    judge_ends,
    judge_prompts,
    judge_leftovers,
    judge_memory,
    judge_pauses,
)


def judge(evidence: Evidence) -> list[Violation]:
    """Everything that must not be, worst kinds first as listed above."""
    return [violation for each in JUDGES for violation in each(evidence)]
