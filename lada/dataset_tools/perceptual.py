"""Perceptual hashes of frames: equal or nearly so for pictures that look the same.

The hash is the sign pattern of the lowest 8 x 8 coefficients of the discrete cosine transform of a 32 x 32 grey
thumbnail, each against their median, without the mean ("pHash"; C. Zauner, "Implementation and Benchmarking of
Perceptual Image Hash Functions", 2010). Compression, noise and scaling change few of its 63 bits; unrelated pictures
differ in about half.
"""

import cv2
import numpy as np

THUMBNAIL = 32
LOW = 8
LEAST_CONTRAST = 4.0
"""Standard deviation in grey levels below which a frame is too flat to be told from others."""
MAX_DISTANCE = 3
"""Differing bits up to which frames count as nearly identical. The search is exact up to 3, see near_matches."""
BANDS = 4
WEIGHTS = np.uint64(1) << np.arange(63, dtype=np.uint64)


def frame_hash(frame: np.ndarray) -> int | None:
    """Return the hash of an (H, W, 3) uint8 RGB frame, None for one that is nearly flat."""
    gray = cv2.cvtColor(frame, cv2.COLOR_RGB2GRAY)
    small = cv2.resize(gray, (THUMBNAIL, THUMBNAIL), interpolation=cv2.INTER_AREA).astype(np.float32)
    if small.std() < LEAST_CONTRAST:
        return None
    low = cv2.dct(small)[:LOW, :LOW].ravel()[1:]
    return int(WEIGHTS[low > np.median(low)].sum())


def similarity(a: np.ndarray, b: np.ndarray) -> float:
    """Return the correlation, -1 to 1, of two frames of any size seen as small grey pictures."""
    x, y = (cv2.resize(cv2.cvtColor(f, cv2.COLOR_RGB2GRAY), (THUMBNAIL, THUMBNAIL), interpolation=cv2.INTER_AREA)
            .astype(float).ravel() for f in (a, b))
    spread = x.std() * y.std()
    return float(((x - x.mean()) * (y - y.mean())).mean() / spread) if spread > 0 else 0.0


def near_matches(queries: np.ndarray, base: np.ndarray,
                 block: int = 1 << 16) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return (query, base, distance) of all pairs of uint64 hashes that differ in at most MAX_DISTANCE bits.

    Hashes are cut into four bands of 16 bits. Where at most three bits differ, one band is equal, so looking up equal
    bands misses nothing and compares little.
    """
    found = []
    for band in range(BANDS):
        shift = np.uint64(16 * band)
        keys = (base >> shift).astype(np.uint16)
        order = np.argsort(keys, kind='stable')
        keys = keys[order]
        wanted = (queries >> shift).astype(np.uint16)
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
