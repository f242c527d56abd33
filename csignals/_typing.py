"""Names of annotations, for what ``import csignals`` imports: they resolve at run time too (``typing.get_type_hints``).

Importing `typing` takes half as long as all of csignals. So, at run time, what is as wide stands for what is of there.
"""

from collections.abc import Callable

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any as Any
    from typing import TypeVar

    F = TypeVar("F", bound=Callable[..., Any])
else:
    Any = object
    F = Callable
