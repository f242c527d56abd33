"""Django's own ``Signal``, from a second copy of its dispatcher: no patch of the first one changes it."""

from tests.helpers.implementations import load

StockSignal = load("python", "csignals.compare.sends").stock_dispatcher().Signal
