"""Draw the two plots of ``RESULTS.md``. The same results give the same files."""

from bench.results import Place

RECEIVERS = {
    **{count: ("send, 4 keywords", f"{count} receiver{'s' * (count > 1)}") for count in (1, 3, 10, 100)},
    **{count: ("send to many receivers, 4 keywords", f"{count:,} receivers") for count in (1000, 10_000)},
}
SENDERS = {
    count: ("send to 1 receiver, as many senders have one each, 4 keywords", f"{count:,} senders")
    for count in (10, 100, 1000, 10_000)
}
PLOTS = {
    "receivers.svg": ("One send, by the number of receivers", "receivers", RECEIVERS),
    "senders.svg": ("One send to 1 receiver, by the number of senders that have one each", "senders", SENDERS),
}
NANOSECONDS = {"ns": 1, "µs": 1000}
# Lines of one dispatcher have one colour or dash style. The colours suit readers who cannot tell red from green.
STYLES = {
    "floor": ("#000000", ":"),
    "csignals": ("#0072b2", "-"),
    "csignals fallback": ("#56b4e9", "-"),
    "csignals in Django": ("#0072b2", "--"),
    "fallback in Django": ("#56b4e9", "--"),
    "Django": ("#d55e00", "-"),
    "Django cached": ("#d55e00", "--"),
    "celery": ("#e69f00", "-"),
    "blinker": ("#009e73", "-"),
    "psygnal": ("#cc79a7", "-"),
    "PyDispatcher": ("#7f7f7f", "-"),
    "pluggy": ("#8c6d31", "-"),
}
SETTINGS = {
    "svg.fonttype": "path",
    "svg.hashsalt": "csignals",
    "font.size": 9,
    "axes.spines.top": False,
    "axes.spines.right": False,
}


def draw(results, folder):
    """Write the plots for which there are results to a folder. Each contestant is a line."""
    for name, (title, label, places) in PLOTS.items():
        lines = {contestant: line(results, contestant, places) for contestant in STYLES}
        lines = {contestant: points for contestant, points in lines.items() if len(points) > 1}
        if not lines:
            continue
        import matplotlib

        matplotlib.use("Agg")
        from matplotlib import pyplot

        with matplotlib.rc_context(SETTINGS):
            figure, axes = pyplot.subplots(figsize=(8, 4.8), layout="constrained")
            # The legend has the order of the lines at their right ends, from the top.
            for contestant in sorted(lines, key=lambda each: -lines[each][-1][1]):
                colour, dashes = STYLES[contestant]
                axes.loglog(*zip(*lines[contestant], strict=True), dashes, color=colour, marker=".", label=contestant)
            axes.set(title=title, xlabel=label, ylabel="nanoseconds per send, 4 keywords")
            axes.grid(color="#dddddd", linewidth=0.5)
            figure.legend(loc="outside right center", frameon=False)
            figure.savefig(folder / name, metadata={"Date": None})
            pyplot.close(figure)


def line(results, contestant, places):
    """Return the points of a contestant: counts and nanoseconds."""
    points = []
    for count, (table, case) in places.items():
        place = Place(table, case, contestant)
        if place in results.figures:
            points.append((count, results.spread(place).median * NANOSECONDS[results.units[table]]))
    return points
