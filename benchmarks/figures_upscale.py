"""What docs/figures.md says of upscaling."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any


def upscale(result: dict[str, Any]) -> Iterator[str]:
    """Upscaling, against originals and peers."""
    for how, rows in result["quality"]["mean"].items():
        shown = "; ".join(f"{name} {row['ssim']:.4f}, {row['psnr_db']:.2f} dB" for name, row in rows.items())
        yield f"| reduced ({how}) and enlarged again, SSIM and PSNR of luma | {shown} | above all peers |"
        leads = result["quality"]["sharp_over_the_best_peer_of_each_clip"][how]
        worst = min(leads, key=lambda clip: leads[clip])
        lead = f"{leads[worst]:+.4f}"
        yield f"| … SSIM of the worst of {len(leads)} clips ({worst}) against the best peer | {lead} | ≥ -0.002 |"
    spent = result["frame_ms_1080p_to_2160p"]
    opencv = spent["cv2 Lanczos4"] / spent["lanczos"]
    yield f"| a frame from 1080p to 2160p, `lanczos` against OpenCV's Lanczos4, CPU | {opencv:.1f}× faster | ≥ 1.5× |"
    swscale = spent["sharp"] / spent["swscale lanczos"]
    yield f"| … `sharp` ({spent['sharp']:.1f} ms) against swscale's Lanczos, CPU | {swscale:.1f}× its cost | ≤ 4× |"


def upscale_run(result: dict[str, Any]) -> Iterator[str]:
    """A whole run to 4K."""
    yield f"| peak memory, {result['seconds']} s of 1080p to {result['size']} | {result['peak_mb']:.0f} MB | < 900 MB |"
    missing = f"{result['frames_missing']}, {result['sound_samples_missing']}"
    yield f"| frames and samples of sound that are missing | {missing} | 0, 0 |"
