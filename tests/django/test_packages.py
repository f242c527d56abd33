"""Real packages that patch, read or rearrange Django's signals behave the same with and without csignals.

Each script in ``packages/`` is a Django project in one file. It runs in its own process and prints its observations.
The tests run each script with and without csignals, and compare the two outputs with each other and with the behaviour
that the package promises.
"""

import functools
import json
import os
import re
import sys
from pathlib import Path

import django
import pytest

from tests.helpers.implementations import environment
from tests.helpers.interpreter import run_python

pytestmark = pytest.mark.exhaustive

SCRIPTS = Path(__file__).parent / "packages"
HAS_ASYNC_RECEIVERS = django.VERSION >= (5, 0)

either_place = pytest.mark.parametrize("place", ["first", "last"])


def run(script, place, variables):
    done = run_python(
        "-W",
        "default",
        SCRIPTS / f"{script}.py",
        variables={**variables, "PROJECT_CSIGNALS": place, "PYTHONPATH": os.pathsep.join(sys.path)},
        timeout=120,
        encoding="utf-8",
    )
    assert done.returncode == 0, done.stderr
    return {**json.loads(done.stdout), "stderr": done.stderr}


@functools.cache
def observe_without_csignals(script):
    return run(script, "nowhere", dict(os.environ))


def observe_both(script, implementation, place="first"):
    """Return the observations of a script, after asserting that csignals does not change them."""
    without, with_csignals = observe_without_csignals(script), run(script, place, environment(implementation))
    assert without["csignals"] == [None] * 2
    send = {"cython": "method_descriptor", "python": "csignals._dispatch.pure"}[implementation]
    assert with_csignals["csignals"] == [[implementation, True, send]] * 2
    assert with_csignals["observed"] == without["observed"]
    assert with_csignals["stderr"] == without["stderr"]
    return without["observed"]


@either_place
def test_sentry_spans_survive_uninstall_and_install(implementation, place):
    seen = observe_both("sentry", implementation, place)
    assert list(seen) == ["installed", "uninstalled", "installed again"]
    for answer in seen.values():
        assert (answer["content"], answer["transaction"]) == ("content", "/")
        assert answer["heard"] == ["request_started", "post_save"]
        robust = [["inner", "'inner'"], ["fails", "ValueError('fails')"], ["Listener.method", "'method'"]]
        assert answer["sent"] == {
            "send": [["outer", "['inner']"], ["inner", "'inner'"], ["Listener.method", "'method'"]],
            "send_robust": robust,
            "denied": [["inner", "'inner'"]],
            "awaited": [["awaited", "'awaited'"]] if HAS_ASYNC_RECEIVERS else [],
            "has_listeners": [True, False],
            "send fails": "fails",
        }
        ((logger, record, exception),) = answer["errors"]
        assert (logger, record["params"][0], exception) == ("django.dispatch", "fails", "fails")
        spans = [span for span in answer["spans"] if span[0] == "event.django"]
        assert {origin for _, _, origin, _, _ in spans} == {"auto.http.django"}
        # Sentry makes no span for a signal on the denylist, nor for an async receiver.
        assert [(name.removeprefix("__main__."), status, parent) for _, name, _, status, parent in spans] == [
            ("django.db.reset_queries", None, None),
            ("django.db.close_old_connections", None, None),
            ("on_request", None, None),
            ("on_save", None, None),
            ("outer", None, None),
            ("inner", None, "__main__.outer"),
            ("inner", None, None),
            ("Listener.method", None, None),
            ("inner", None, None),
            ("fails", "internal_error", None),
            ("Listener.method", None, None),
            ("inner", None, None),
            ("fails", "internal_error", None),
        ]


@either_place
def test_csignals_sees_through_sentry_wrappers(implementation, place):
    seen = run("sentry_intercepted", place, environment(implementation))
    assert seen["stderr"] == ""
    all_names = ["reindex", "notify", "method", "method"]
    assert seen["observed"] == {
        "sent": all_names,
        "muted": ["notify", "method"],
        "all muted": [[], False],
        "after": [all_names, True],
        "called": [],
        "never called": ["method"],
    }


def test_factory_boy_mutes_and_restores_receivers(implementation):
    seen = observe_both("factory_boy", implementation)
    everything = ["early pre_save", "early post_save", "for_authors", "last"]
    for moment in ("before", "after", "after an error", "after function", "after factory", "at the end"):
        assert seen[moment] == everything
    assert seen["muted"] == seen["after nested"] == ["early pre_save"]
    assert seen["nested"] == []
    assert seen["function"] == [[], []]
    assert seen["factory"] == ["early pre_save"] * 2
    assert seen["factory batch"] == ["early pre_save"] * 4
    assert seen["before names"] == seen["after names"] == ["early", "for_another_sender", "for_authors", "last"]


def test_factory_boy_keeps_receivers_connected_while_muted(implementation):
    seen = observe_both("factory_boy", implementation)
    assert seen["connected during"] == ["early pre_save", "during"]
    assert seen["after connected during"] == [*seen["before"], "during"]
    assert seen["last names"] == [*seen["before names"], "during"]
    assert (seen["disconnected during"], seen["disconnected after"]) == (False, True)
    assert seen["after disconnected during"] == [*seen["before"], "during"]


@either_place
def test_reversion_records_revisions_and_mutes_signals(implementation, place):
    seen = observe_both("django_reversion", implementation, place)
    assert seen["names"] == ["_post_save_receiver", "_post_save_receiver", "hear_save"]
    article, both = "Article object (1)", ["Article object (1)", "Tag object (1)"]
    for moment, created, comment in [("created", True, "created"), ("changed", False, "changed")]:
        assert seen[moment] == [
            ["post_save", article, created],
            ["pre", "create_revision", comment, both],
            ["post", "create_revision", comment, both],
        ]
    assert seen["outside"] == [["post_save", article, False]]
    assert seen["muted"] == [["while muted"]]
    assert seen["names after muting"] == [*seen["names"], "hear_saved_while_muted"]
    assert [each[0] for each in seen["after muting"]] == ["post_save", "while muted", "pre", "post"]
    # Reversion's own receiver was muted too, so the revision in between recorded nothing.
    assert seen["comments"] == ["", "changed", "created"]
    assert seen["titles"] == ["muted", "second", "first"]
    assert seen["title"] == "first"
    assert seen["reverted"] == seen["unregistered"] == [["post_save", article, False], ["while muted"]]
    assert seen["revisions"] == 3


def test_a_send_calls_the_reassigned_receivers(implementation):
    seen = observe_both("reassigned_receivers", implementation)
    assert len(seen) == 12
    for name, (connected, *emptied, reconnected, disconnected, names) in seen.items():
        assert connected == ["first", "second"], name
        assert emptied[:2] == [[], ["first", "second"]], name
        assert emptied[2:] in ([], [["first", "second", "third"], ["third", "second", "first"], ["third"], []]), name
        assert reconnected == ["third", "first", "second"], name
        assert disconnected == [True, ["third", "first"], True], name
        assert names == ["third", "first"], name
    assert sum(len(steps) == 10 for steps in seen.values()) == 8


@either_place
def test_cacheops_connects_first_and_sends_signals(implementation, place):
    seen = observe_both("django_cacheops", implementation, place)
    assert seen["names"] == {
        "pre_save": ["ManagerMixin._pre_save", "ManagerMixin._pre_save", "hear"],
        "m2m_changed": ["hear", "invalidate_m2m", "invalidate_m2m", "invalidate_m2m"],
    }
    miss, hit = ["cache_read", "Group", False], ["cache_read", "Group", True]
    one, two, three = (
        ["cache_invalidated", "Group", {"id": number, "name": name}]
        for number, name in [(1, "one"), (1, "two"), (2, "three")]
    )
    assert seen["created"] == [["pre_save", None, None], one, ["post_save", None, True]]
    assert (seen["read"], seen["reads"]) == ([["one"], ["one"]], [miss, hit])
    assert seen["changed"] == [miss, ["pre_save", None, None], one, two, ["post_save", None, False]]
    assert (seen["read again"], seen["reads again"]) == (["two"], [miss])
    assert [each[:2] for each in seen["added"]] == [
        ["m2m_changed", "pre_add"],
        ["m2m_changed", "post_add"],
        ["cache_invalidated", "User_groups"],
    ]
    assert seen["deleted"][:2] == [["post_delete", None, None], two]
    assert seen["first name"] == "before_the_others"
    assert seen["first"] == [["pre_save", None, None], ["before_the_others"], three, ["post_save", None, True]]


def test_test_migrations_removes_and_restores_receivers(implementation):
    seen = observe_both("django_test_migrations_muted", implementation)
    heard = [[signal, app] for signal in ("pre_migrate", "post_migrate") for app in ("contenttypes", "auth")]
    before, after = seen["names"]
    assert {"inject_rename_contenttypes_operations", "hear"} <= set(before)
    assert {"create_contenttypes", "create_permissions", "hear"} <= set(after)
    assert seen["names"] == seen["names after"] == seen["removed"]
    assert [each for each in seen["migrated"] if each[1] != "project"] == heard
    assert seen["reset"] == seen["migrated"]
    assert "permission" in seen["state"]
    assert (seen["muted"], seen["nothing is sent"]) == ([], [[], []])


def test_debug_toolbar_lists_the_same_receivers(implementation):
    seen = observe_both("django_debug_toolbar", implementation)
    own = {
        moment: {name: shown["stats"].get(name) for name in ("pre_save", "post_save", "own_signal")}
        for moment, shown in seen.items()
    }
    connected = ["weak", "strong", "Sender.method"]
    assert own == {
        "before": {"pre_save": None, "post_save": None, "own_signal": None},
        "connected": {"pre_save": connected, "post_save": ["dead", "awaited"], "own_signal": ["weak"]},
        "sent": {"pre_save": connected, "post_save": ["awaited"], "own_signal": ["weak"]},
        "disconnected": {"pre_save": connected[1:], "post_save": ["awaited"], "own_signal": None},
    }
    for shown in seen.values():
        assert {"reset_queries", "close_old_connections"} <= set(shown["stats"]["request_started"])
        assert f"{sum(map(len, shown['stats'].values()))} receivers of 16 signals" == shown["subtitle"]
        for receivers in shown["stats"].values():
            assert f"<td>{', '.join(receivers)}</td>" in shown["content"]


def test_list_signals_of_django_extensions_works(implementation):
    seen = observe_both("django_extensions_list_signals", implementation)
    assert seen["collected"] == [["first"], ["first", "second"], ["second", "first", "awaited"], ["strong"]]
    assert ["first", "awaited"] in seen["collected at the end"]
    if django.VERSION >= (6, 0) and seen["connected"] == seen["disconnected"]:
        assert "too many values to unpack" in seen["connected"]
        return
    connected = [re.sub(r" #\d+", "", line).split()[0] for line in seen["connected"]]
    assert seen["sent"] == seen["connected"]
    assert connected == [
        "__main__.Author",
        "post_save",
        "__main__.second",
        "__main__.first",
        "__main__.awaited",
        "pre_save",
        "__main__.first",
        "__main__.Book",
        "post_delete",
        "__main__.strong",
        "pre_save",
        "__main__.second",
        "unknown",
        "__main__.first",
    ]
    assert len(seen["disconnected"]) < len(seen["connected"])


@either_place
def test_overrides_in_signal_subclasses_are_used(implementation, place):
    seen = observe_both("signal_subclasses", implementation, place)
    late = [["late", "late"]] * HAS_ASYNC_RECEIVERS
    for name, cached in [("plugins", False), ("plugins, cached", True)]:
        assert seen[name] == [
            [],
            [["a", "a ['sender', 'shop', 'signal', 'x']"], ["z", "z ['sender', 'signal', 'x'] True"], *late],
            [],
            [["a", "a ['sender', 'signal']"], ["z", "z ['sender', 'signal'] False"], *late],
            [["bad", "bad"]],
            "bad",
            [True, True, False],
            [["a", "a ['sender', 'shop', 'signal']"]],
            [3 + HAS_ASYNC_RECEIVERS, True, cached],
        ]
    assert seen["send_event"] == [["hear", "['metadata', 'x']"], ["fail", "failed at event.type"]]
    assert seen["send"] == "use send_event()"
    if HAS_ASYNC_RECEIVERS:
        for name in ("asend", "asend_robust"):
            assert seen["awaited"][name] == [["hear", "['marked']"], ["hear_awaited", f"awaited {name}"]]
        assert seen["awaited, failing"]["asend"] == "failed at asend"
        assert ["fail", "failed at asend_robust"] in seen["awaited, failing"]["asend_robust"]
        assert ["hear_awaited", "awaited None"] in seen["sent"]


@either_place
def test_simple_history_records_and_sends_signals(implementation, place):
    seen = observe_both("django_simple_history", implementation, place)
    assert "HistoricalRecords.finalize" in seen["names"]["class_prepared"]
    assert seen["names"]["post_save"] == ["HistoricalRecords.post_save"]
    for moment, kind in [("created", "+"), ("changed", "~"), ("tagged", "~"), ("deleted", "-")]:
        assert seen[moment] == [
            ["before", "HistoricalPoll", kind, True],
            ["tags", "HistoricalPoll_tags", ["tag"] if moment == "tagged" else []],
            ["after", "HistoricalPoll", kind, False],
        ]
    assert seen["bulk"] == seen["skipped"] == []
    assert seen["records"] == [
        ["+", "one?", "because of one?"],
        ["~", "two?", "because of two?"],
        ["~", "two?", "because of two?"],
        ["-", "two?", "because of two?"],
    ]
