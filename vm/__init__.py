"""Whole machines: a stock Debian kernel and systemd under QEMU, with Ringfence installed, hurt at boot."""
