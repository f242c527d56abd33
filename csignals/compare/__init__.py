"""``python -m csignals compare``: proves csignals equal to stock Django, then measures both.

This package is also the Django app of the project that it does this on (``apps.py``, ``models.py``,
``urls.py``). So Django is configured before any of its modules that needs that is imported.
"""


def run() -> int:
    """Run the whole comparison, print it, and return the exit code: 0, or 1 if a proof failed.

    Configures Django for this process, which must not have done so. Leaves csignals installed in Django or
    not, as it was.
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
