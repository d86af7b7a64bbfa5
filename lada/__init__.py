"""Lada: training toolkit for restoring mosaic (pixelated) regions in video with BasicVSR++."""

__version__ = '0.2.0'
