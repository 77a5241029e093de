"""Names in Redis: a running installation that is upgraded must find its keys again."""

from shared.event_log.keys import Channels, RunKeys, live_runs, tag_of_channel


def test_keys_stay_as_they_are() -> None:
    keys = RunKeys("tag", "run_1")
    assert (keys.log, keys.meta, keys.checkpoint, keys.live) == (
        "hf:{tag}:log:run_1",
        "hf:{tag}:meta:run_1",
        "hf:{tag}:fold:run_1",
        "hf:{tag}:live",
    )
    assert live_runs("tag") == keys.live


def test_channels_name_the_installation_and_the_database() -> None:
    channels = [Channels(name, number) for name in ("hf", "hf1") for number in (0, 1, 10)]
    assert len({one.control for one in channels}) == len(channels)
    assert len({one.session("tag") for one in channels}) == len(channels)


def test_the_tag_is_found_in_the_name_of_a_channel() -> None:
    assert tag_of_channel(Channels("hf", 3).session("tag")) == "tag"
