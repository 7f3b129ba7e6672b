"""Clips, frames and sound from files, and back: the only package that imports `av` (libav).

Times are exact, matrix and range are explicit on every conversion, and a fault of a file becomes a
`TakeError` in plain words. Import what you need from the modules; importing the package costs nothing.
"""
