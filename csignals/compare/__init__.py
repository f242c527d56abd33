"""``python -m csignals compare``: checks that csignals dispatches like stock Django, then measures both.

This package is also an app of the Django project on which it does this (project.py, apps.py, models.py, urls.py).
Most modules need configured settings, so `run` imports them after it has configured Django.
"""


def run() -> int:
    """Run the whole comparison, print it, and return the exit code: 0, or 1 if a signal differs.

    Configures Django, and raises RuntimeError if this process has configured it already. Afterwards, csignals is
    installed in Django only if it was before.
    """
    from csignals.compare import project

    project.configure()

    from csignals.compare import loading, proof, report, sends
    from csignals.django import install, is_installed, uninstall

    was_installed = is_installed()
    try:
        report.print_heading()
        with report.progress("Proving", proof.STEPS) as advance:
            outcomes = proof.prove(advance)
        report.print_proof(outcomes)
        if not all(outcome.holds for outcome in outcomes):
            return 1
        with report.progress("Timing sends", sends.STEPS) as advance:
            send_times = sends.measure(advance)
        report.print_sends(send_times)
        with report.progress("Timing the loading of rows", loading.STEPS) as advance:
            loading_times = loading.measure(advance)
        report.print_loading(loading_times)
        return 0
    finally:
        if was_installed:
            install()
        else:
            uninstall()
