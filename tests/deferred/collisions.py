"""Ints that make CPython's dicts slow: each is compared with thousands of others before it finds a free slot.

A dict of 43,691 to 87,381 keys has 2**17 slots. It looks for an int at the slot ``int % 2**17``, and then at
``5 * slot + 1 + (int >> 5 * step)``; when nothing is left of the int, the next slot depends on the slot alone.
"""

import functools
import itertools

BITS = 17
MASK = 2**BITS - 1
MAX_KEYS = 2**BITS * 2 // 3
SHIFT = 5

#: How many bits the ints have, and after how many steps nothing is left of them.
INT_BITS = 57
STEPS = -(-INT_BITS // SHIFT)


@functools.cache
def colliding_ints(count):
    """Return ints, of which each of the last `count` is looked for in more than 10,000 slots on average."""
    # The first ones are at the slots that they are equal to, and these follow each other.
    chain = list(itertools.accumulate(range(MAX_KEYS // 2), lambda slot, _: (5 * slot + 1) & MASK, initial=0))
    taken = set(chain)
    start = set(chain[: len(chain) // 3])

    def extend(number, bits, slot):
        """Yield the ints that begin with the low bits of `number`, if all slots before the chain are taken."""
        if bits >= INT_BITS:
            for step in range((bits - BITS) // SHIFT + 1, STEPS + 1):
                slot = (5 * slot + 1 + (number >> SHIFT * step)) & MASK
                if slot not in taken:
                    return
            if slot in start:
                yield number
            return
        step = (bits - BITS) // SHIFT + 1
        for more in range(2**SHIFT):
            longer = number | more << bits
            following = (5 * slot + 1 + (longer >> SHIFT * step)) & MASK
            if following in taken:
                yield from extend(longer, bits + SHIFT, following)

    found = itertools.chain.from_iterable(extend(slot, BITS, slot) for slot in chain)
    return chain + list(itertools.islice((number for number in found if number > MASK), count))
