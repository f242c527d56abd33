"""``manage.py signals`` in a real project, site/shop, compared with the lists of receivers in that project."""

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

SITE = Path(__file__).parent / "site"
IMPLEMENTATION = "cython" if sys.implementation.name == "cpython" else "python"
HAS_ASYNC_RECEIVERS = django.VERSION >= (5, 0)


def run(arguments, variables, cwd=SITE):
    path = os.pathsep.join([str(SITE), str(cwd), *sys.path])
    return run_python(
        "-W",
        "error",
        *arguments,
        variables={"DJANGO_SETTINGS_MODULE": "shop.settings", **variables, "PYTHONPATH": path},
        timeout=120,
        cwd=cwd,
        encoding="utf-8",
    )


def signals(*options, cwd=SITE, **variables):
    return run([SITE / "manage.py", "signals", *options], {**environment(IMPLEMENTATION), **variables}, cwd)


def list_json(*options):
    done = signals("--json", *options)
    assert (done.returncode, done.stderr) == (0, "")
    return json.loads(done.stdout)


def by_name(found):
    return {info["name"]: [receiver["receiver"] for receiver in info["receivers"]] for info in found}


def line_number(start):
    """Return the number of the line of receivers.py that starts with this text."""
    lines = (SITE / "shop" / "receivers.py").read_text().splitlines()
    (number,) = [number for number, line in enumerate(lines, 1) if line.strip().startswith(start)]
    return number


@functools.cache
def list_everything():
    return list_json()


def test_the_command_matches_the_receiver_lists(implementation):
    done = run(["-m", "shop.oracle"], environment(implementation))
    assert (done.returncode, done.stderr) == (0, "")
    results = json.loads(done.stdout)
    assert results.pop("implementation") == implementation
    for moment, result in results.items():
        assert result["is_installed"] == (moment == "installed")
        printed = {info.pop("name"): info for info in result["command"]}
        assert list(printed) == sorted(printed)
        # The command imports the URLconf.
        finished = printed["django.core.signals.request_finished"]["receivers"]
        if moment == "installed":
            assert finished.pop()["receiver"] == "shop.urls.forget"
        assert printed == result["lists"]
    assert len(printed["django.db.models.signals.post_save"]["receivers"]) == 8
    assert sum(len(info["receivers"]) for info in printed.values()) > 30


def test_the_command_prints_all_signals():
    done = signals()
    assert (done.returncode, done.stderr) == (0, "")
    sections = re.split(r"\n(?=\S)", done.stdout.replace(os.sep, "/"))
    assert "shop.signals.order_lost: no receivers" in sections
    warm, paid = line_number("@classmethod"), line_number("order_paid.connect(lambda")
    call = line_number("__str__ = __repr__") + 2
    assert sections[0] == (
        "a name of its own\n"
        f"    shop.receivers.Printer.warm  shop/receivers.py:{warm}  shop.receivers.Printer.warm  strong  sync"
    )
    assert (
        "shop.signals.order_paid\n"
        f"    shop.receivers.<lambda>          shop/receivers.py:{paid}  any sender                     strong  sync\n"
        f"    shop.receivers.Reluctant object  shop/receivers.py:{call}  any sender                     strong  sync\n"
        "    print                            -                     shop.receivers.Printer object  weak    sync\n"
        "    dict                             -                     shop.receivers.index           weak    sync"
    ) in sections
    (saved,) = [section for section in sections if section.startswith("django.db.models.signals.post_save\n")]
    index = line_number("@receiver(post_save, sender=Order")
    assert (
        f"\n    functools.partial(shop.receivers.index)  shop/receivers.py:{index}  shop.models.Order  strong  "
        f"{'sync ' if HAS_ASYNC_RECEIVERS else 'sync'}  uid ('copies', 2)"
    ) in saved
    assert saved.count("  async") == HAS_ASYNC_RECEIVERS
    found = list_everything()
    count = sum(len(info["receivers"]) for info in found)
    assert sections[-1] == f"{len(found)} signals, {count} receivers\n"


def test_files_elsewhere_have_absolute_paths(tmp_path):
    done = signals("--signal", "cancelled", cwd=tmp_path)
    place = f"{SITE / 'shop' / 'receivers.py'}:{line_number('@receiver(pre_save)')}"
    assert done.stdout == (
        f"shop.models.Item.cancelled\n    shop.receivers.note  {place}  shop.models.Item  weak  sync\n\n"
        "1 signal, 1 receiver\n"
    )


@pytest.mark.parametrize("name", ["order_paid", "signals.order_paid", "shop.signals.order_paid"])
def test_the_end_of_a_name_selects_signals(name):
    assert list_json("--signal", name) == [
        info for info in list_everything() if info["name"] == "shop.signals.order_paid"
    ]


def test_receiver_filters_hide_signals_without_receivers():
    assert by_name(list_json("--signal", "order_lost", "--signal", "order_sent")) == {
        "shop.signals.order_lost": [],
        "shop.signals.order_sent": ["shop.receivers.note", "shop.receivers.announce"],
    }
    assert list_json("--signal", "order_lost", "--app", "shop") == []
    assert signals("--signal", "order_lost", "--app", "shop").stdout == "\n0 signals, 0 receivers\n"
    assert list_json("--sender", "auth.User") == []


@pytest.mark.parametrize("name", ["shop.Item", "shop.item", "shop.models.Item"])
def test_a_sender_filter_selects_receivers(name):
    assert by_name(list_json("--sender", name)) == {
        "django.db.models.signals.post_save": ["shop.receivers.Printer.print"],
        "shop.models.Item.cancelled": ["shop.receivers.note"],
    }


def test_several_senders_select_their_receivers():
    assert by_name(list_json("--sender", "by mail", "--sender", "shop.Order_items")) == {
        "django.db.models.signals.m2m_changed": ["shop.receivers.note"],
        "shop.signals.order_sent": ["shop.receivers.note"],
    }


def test_an_app_filter_selects_receivers():
    auth = by_name(list_json("--app", "auth"))
    assert auth["django.contrib.auth.signals.user_logged_in"] == ["django.contrib.auth.models.update_last_login"]
    assert all(name.startswith("django.contrib.auth.") for names in auth.values() for name in names)
    both = by_name(list_json("--app", "shop", "--app", "auth"))
    assert "functools.partial(shop.receivers.index)" in both["django.db.models.signals.post_save"]
    assert "shop.receivers.Reluctant object" in both["shop.signals.order_paid"]
    assert "print" not in both["shop.signals.order_paid"]
    assert both.keys() > auth.keys()


def test_a_receiver_must_match_all_filters():
    found = list_json("--signal", "post_save", "--signal", "pre_save", "--sender", "shop.Order", "--app", "shop")
    (info,) = found
    assert info["name"] == "django.db.models.signals.post_save"
    assert {receiver["sender"] for receiver in info["receivers"]} == {"shop.models.Order"}
    assert len(info["receivers"]) == 5


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--signal", "post_sav"], 'No signal is called "post_sav". Did you mean post_save'),
        (["--signal", "ost_save"], 'No signal is called "ost_save". Did you mean post_save'),
        (["--signal", "xyz"], 'No signal is called "xyz".\n'),
        (["--signal", ""], 'No signal is called "".\n'),
        (
            ["--sender", "shop.Ordre"],
            'No model and no sender with a receiver is called "shop.Ordre". Did you mean shop.order',
        ),
        (["--app", "sho"], "No installed app with label 'sho'."),
    ],
    ids=str,
)
def test_unknown_names_are_reported(options, message):
    done = signals(*options)
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.startswith(f"CommandError: {message}")


def test_a_broken_urlconf_is_reported(tmp_path):
    (tmp_path / "settings.py").write_text("from shop.settings import *\nROOT_URLCONF = 'no.urls'\n")
    done = signals("--signal", "cancelled", cwd=tmp_path, DJANGO_SETTINGS_MODULE="settings")
    assert done.returncode == 0
    assert done.stderr.startswith(
        "The URLconf cannot be imported, so receivers that it connects are missing: ModuleNotFound"
    )
    assert done.stdout.endswith("1 signal, 1 receiver\n")


def test_the_command_works_without_urlconf(tmp_path):
    (tmp_path / "settings.py").write_text("INSTALLED_APPS = ['csignals.django']\nSECRET_KEY = 'x'\nUSE_TZ = True\n")
    done = signals("--signal", "request_started", cwd=tmp_path, DJANGO_SETTINGS_MODULE="settings")
    assert (done.returncode, done.stderr) == (0, "")
    assert "django.db.reset_queries" in done.stdout


def test_signals_without_a_name_come_last(tmp_path):
    code = """
import django; django.setup()
from django.core.management import call_command
from django.dispatch import Signal
nameless = [Signal()]
nameless[0].connect(print)
call_command("signals")
call_command("signals", senders=["shop.Item"], apps=["shop"], signals=["post_save"])
"""
    done = run(["-c", code], environment(IMPLEMENTATION), cwd=tmp_path)
    assert (done.returncode, done.stderr) == (0, "")
    assert (
        "\ndjango.dispatch.dispatcher.Signal, without a name\n    print  -  any sender  weak  sync\n\n" in done.stdout
    )
    assert done.stdout.endswith("\n\n1 signal, 1 receiver\n")


def test_the_command_times_another_command(implementation):
    done = signals("--time", "sell", "3", "--at=half", **environment(implementation))
    assert "Error" not in done.stderr  # stderr may say that there is no compiled implementation
    assert done.returncode == 0
    output, _, summary = done.stdout.partition("\nReceivers that sell called, slowest first\n")
    assert output == "sold 3 at half\n"
    receivers, of_signals = [table.splitlines() for table in summary.strip().split("\n\n")]
    assert receivers[0].split() == ["self", "total", "max", "mean", "calls", "errors", "receiver"]
    assert re.search(r" ms .* 3 +0 +shop\.management\.commands\.sell\.slow ", receivers[1])
    assert [line.split()[-1] for line in of_signals[1:] if "order_paid" in line] == ["shop.signals.order_paid"]


def test_a_failed_timed_command_is_summarized():
    done = signals("--time", "sell", "0")
    message = "CommandError: nothing to sell\n"
    assert done.returncode == 1
    assert (
        done.stderr == message if IMPLEMENTATION == "cython" else done.stderr.endswith(message)
    )  # after the same note
    assert "Receivers that sell called, slowest first" in done.stdout


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--time"], "--time needs the name of a command"),
        (["--json", "--time", "check"], "--time cannot be combined with"),
        (["--app", "shop", "--time", "check"], "--time cannot be combined with"),
    ],
    ids=str,
)
def test_options_that_exclude_timing_are_rejected(options, message):
    done = signals(*options)
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.startswith(f"CommandError: {message}")


def test_timing_an_unknown_command_fails():
    done = signals("--time", "sel")
    assert done.returncode == 1
    assert "Unknown command: 'sel'" in done.stderr
