"""postpipe as a plug-in of OpenTimelineIO: a media linker and a hook, by the manifest in this folder."""
