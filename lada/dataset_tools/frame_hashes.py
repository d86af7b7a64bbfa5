"""Perceptual hashes of frames: equal or nearly so for pictures that look the same.

The hash is the sign pattern of the lowest 8 x 8 coefficients of the discrete cosine transform of a
32 x 32 grey thumbnail, each against their median, without the mean ("pHash"; C. Zauner,
"Implementation and Benchmarking of Perceptual Image Hash Functions", 2010). Compression, noise and
scaling change few of its 63 bits; unrelated pictures differ in about half. Mirroring and cropping
do change it, so frames are also hashed as they look mirrored and cropped.
"""

from itertools import product

import cv2
import numpy as np

THUMBNAIL = 32
LOW = 8
LEAST_CONTRAST = 4.0
"""Standard deviation in grey levels below which a frame is too flat to be told from others."""
LEAST_LIGHT = 6.0
"""Mean grey level of the rows and columns that belong to the picture, and not to a black border
around it.
"""
CROPPED = 0.04
"""What the cropped views leave out on each side: between this and the whole, some view comes close.
"""
VIEWS = ((False, False), (False, True), (True, False), (True, True))
"""Mirrored, cropped."""
MAX_DISTANCE = 7
"""Differing bits up to which frames count as nearly identical. The search is exact up to 7, see
near_matches.
"""
BANDS, BAND_BITS = 4, 16
WEIGHTS = np.uint64(1) << np.arange(63, dtype=np.uint64)


def view_hashes(frame: np.ndarray, views: tuple[int, ...] = (0,)) -> list[int]:
    """Return the hashes of a frame as it looks in views; none for one that is nearly flat.

    Args:
        frame: (H, W, 3) uint8 RGB.
        views: numbers of entries in ``VIEWS``.
    """
    thumbnail = _without_border(frame)
    if thumbnail is None:
        return []
    hashes = []
    for view in views:
        small = _seen(thumbnail, view)
        if small.std() < LEAST_CONTRAST:
            return []
        low = cv2.dct(small)[:LOW, :LOW].ravel()[1:]
        hashes.append(int(WEIGHTS[low > np.median(low)].sum()))
    return hashes


def similarity(a: np.ndarray, b: np.ndarray, view_a: int = 0, view_b: int = 0) -> float:
    """Return the correlation, -1 to 1, of two frames seen as small grey pictures, each in a view.

    Args:
        a, b: (H, W, 3) uint8 RGB, of any size.
        view_a, view_b: numbers of entries in ``VIEWS``.
    """
    first, second = _without_border(a), _without_border(b)
    if first is None or second is None:
        return 0.0
    x, y = _seen(first, view_a).astype(float).ravel(), _seen(second, view_b).astype(float).ravel()
    deviations = x.std() * y.std()
    return float(((x - x.mean()) * (y - y.mean())).mean() / deviations) if deviations > 0 else 0.0


def _without_border(frame: np.ndarray) -> np.ndarray | None:
    """Return a grey thumbnail of what lies inside the black border, None for a black frame."""
    gray = cv2.cvtColor(frame, cv2.COLOR_RGB2GRAY)
    rows, columns = (np.flatnonzero(gray.mean(axis=axis) >= LEAST_LIGHT) for axis in (1, 0))
    if len(rows) == 0 or len(columns) == 0:
        return None
    inside = gray[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
    # Three times as fine as what is hashed, so that views can be cut out of it.
    return cv2.resize(inside, (3 * THUMBNAIL, 3 * THUMBNAIL), interpolation=cv2.INTER_AREA).astype(
        np.float32
    )


def _seen(thumbnail: np.ndarray, view: int) -> np.ndarray:
    mirrored, cropped = VIEWS[view]
    if cropped:
        edge = round(CROPPED * len(thumbnail))
        thumbnail = thumbnail[edge:-edge, edge:-edge]
    small = cv2.resize(thumbnail, (THUMBNAIL, THUMBNAIL), interpolation=cv2.INTER_AREA)
    return np.ascontiguousarray(small[:, ::-1]) if mirrored else small


def near_matches(
    queries: np.ndarray, base: np.ndarray, block: int = 1 << 16
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return (query, base, distance) of all pairs of hashes that differ in at most MAX_DISTANCE
    bits.

    Hashes are cut into four bands of 16 bits. Where at most seven bits differ, one band differs in
    at most one, so looking up bands as they are and with each bit flipped misses nothing and
    compares little.

    Args:
        queries, base: uint64 hashes.
        block: how many candidates are compared at once, which bounds memory.
    """
    found = []
    for band, flipped in product(range(BANDS), (0, *(1 << bit for bit in range(BAND_BITS)))):
        shift = np.uint64(BAND_BITS * band)
        if flipped == 0:
            keys = (base >> shift).astype(np.uint16)
            order = np.argsort(keys, kind='stable')
            keys = keys[order]
        wanted = (queries >> shift).astype(np.uint16) ^ np.uint16(flipped)
        begin, end = np.searchsorted(keys, wanted, 'left'), np.searchsorted(keys, wanted, 'right')
        candidates = np.cumsum(end - begin)
        start = 0
        while start < len(queries):
            done = candidates[start - 1] if start else 0
            stop = max(start + 1, int(np.searchsorted(candidates, done + block, 'right')))
            counts = (end - begin)[start:stop]
            query = np.repeat(np.arange(start, stop), counts)
            within = np.arange(counts.sum()) - np.repeat(np.cumsum(counts) - counts, counts)
            other = order[np.repeat(begin[start:stop], counts) + within]
            distance = np.bitwise_count(queries[query] ^ base[other])
            close = distance <= MAX_DISTANCE
            found.append(np.stack([query[close], other[close], distance[close].astype(np.int64)]))
            start = stop
    if not found:
        found = [np.empty((3, 0), np.int64)]
    pairs = np.unique(np.concatenate(found, axis=1), axis=1)
    return pairs[0], pairs[1], pairs[2]
