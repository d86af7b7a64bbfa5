"""Steps at the edge of the mosaic."""

import numpy as np


def test_seam_sees_a_step_at_the_edge_only(measure, clip):
    clean, _, masks = clip
    inside = (masks != 0)[..., None]
    lifted = np.where(inside, np.clip(clean.astype(int) + 20, 0, 255), clean).astype(np.uint8)
    everywhere = np.clip(clean.astype(int) + 20, 0, 255).astype(np.uint8)
    assert measure(lifted)['seam'] > 5 * measure(everywhere)['seam']
