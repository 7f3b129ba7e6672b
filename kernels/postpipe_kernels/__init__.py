"""Pixel kernels of postpipe: pure functions on planes, compiled by numba, each with a NumPy twin.

Import the module that holds the kernel (`from postpipe_kernels import luma`); importing this package
alone imports neither NumPy nor numba. `kernels/README.md` in the repository is the guide.
"""
