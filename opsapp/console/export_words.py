"""Exports in words. Keys of the catalogue, no text."""

from opsapp.console.status_words import Word

STATUS = {
    "delivered": Word("Handed over at once", "check-circle", "success"),
    "queued": Word("Waiting to begin", "hourglass-split", "info"),
    "running": Word("Being written", "arrow-repeat", "info"),
    "ready": Word("Ready to fetch", "file-earmark-check", "success"),
    "failed": Word("Failed", "x-circle", "danger"),
    "cancelled": Word("Stopped", "stop-circle", "secondary"),
    "expired": Word("Deleted after its time", "trash", "secondary"),
}
FORMAT = {"csv": "CSV", "xlsx": "Excel (XLSX)"}
ZONE = {"Asia/Seoul": "Seoul (KST)", "UTC": "UTC"}
