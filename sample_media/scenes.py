"""The four scenes: a launch pad at dusk, a coffee in the morning, a cat in the rain, an astronaut who speaks.

Each makes its plate from one photograph of scikit-image and adds what moves in it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from air import Vapour, cloud, drift, full, half, rain, smoothstep
from footage import Bend, Exposure, Film
from plates import Array, Photo, Plate, box, defocused, depth_map, make_plate, oval, photograph
from speech import Syllable, opening

Light = Callable[[Exposure, float], Array]
"""Adds lamps, shadows and weather to an exposed frame: `light(exposure, seconds) -> light`."""


@dataclass(frozen=True)
class Scene:
    """A set: its plate, what bends in it, what its light and air do, and the film it is shot on."""

    plate: Plate
    light: Light
    film: Film
    bends: tuple[Bend, ...] = ()


def blob(x: Array, y: Array, centre: tuple[float, float], radius: tuple[float, float]) -> Array:
    """Return a Gaussian spot of height 1 at world coordinates."""
    across = (x - np.float32(centre[0])) / np.float32(radius[0])
    down = (y - np.float32(centre[1])) / np.float32(radius[1])
    return np.asarray(np.exp(-(across * across + down * down)), np.float32)


def tinted(field: Array, colour: tuple[float, float, float]) -> Array:
    """Return a grey field as light of a colour, shape `(h, w, 3)`."""
    return field[..., None] * np.asarray(colour, np.float32)


def launch_pad() -> Scene:
    """A rocket on its pad: vapour vents from it, haze drifts over warm lamps, stars come out."""
    photo = photograph("rocket")
    size = (photo.shape[1], photo.shape[0])
    towers = [box(-20, 0, 92, 430), box(558, 0, 660, 430)]
    masts = [box(160, 60, 216, 430), box(428, 60, 484, 430)]
    depth = depth_map(
        size,
        [(0.3, mast) for mast in masts]
        + [(0.5, box(264, 120, 362, 430)), (0.6, box(120, 405, 520, 430))]
        + [(1.0, tower) for tower in towers],
        9,
    )
    plate = make_plate(photo, depth)
    plate = Plate(plate.light + stars(plate, photo), plate.depth, plate.scale)
    vent = Vapour(seed=11, speed_x=26, speed_y=7, grain=26)
    haze = Vapour(seed=23, speed_x=9, speed_y=-1, grain=85, stretch=0.45)

    def light(exposure: Exposure, seconds: float) -> Array:
        x, y = half(exposure.x), half(exposure.y)
        plume_y = 232 + 0.05 * (x - 330) + 0.0009 * (x - 330) ** 2
        spread = 4 + 0.20 * np.clip(x - 326, 0, None)
        plume = np.exp(-(((y - plume_y) / spread) ** 2)) * smoothstep(328, 336, x) * (1 - smoothstep(350, 540, x))
        vapour = smoothstep(0.12, 0.42, vent.density(x, y, seconds)) * plume
        low = smoothstep(300, 420, y) * smoothstep(0.12, 0.55, haze.density(x, y, seconds))
        lamps = np.sum([blob(x, y, (lamp, 395), (70, 46)) for lamp in (110, 150, 195, 365, 440)], axis=0)
        fog = np.asarray(low * (0.25 + lamps), np.float32)
        lit = exposure.light * (1 - full(0.6 * vapour, exposure.x))[..., None]
        lit += tinted(full(0.5 * vapour, exposure.x), (0.62, 0.72, 0.95))
        return np.asarray(lit + tinted(full(0.12 * fog, exposure.x), (1.0, 0.62, 0.30)), np.float32)

    return Scene(plate, light, Film(exposure=1.2, bloom=0.22, tint_shadows=(0.0, 0.004, 0.014)))


def stars(plate: Plate, photo: Photo) -> Array:
    """Return starlight for the open sky of the launch pad, denser towards the zenith."""
    rng = np.random.default_rng(42)
    height, width = plate.light.shape[:2]
    grey = cv2.cvtColor(photo, cv2.COLOR_RGB2GRAY).astype(np.float32)
    detail = cv2.dilate(np.abs(grey - cv2.GaussianBlur(grey, (0, 0), 2)), np.ones((9, 9), np.uint8))
    sky = cv2.resize(cv2.GaussianBlur((detail < 7).astype(np.float32), (0, 0), 2), (width, height))
    light = np.zeros((height, width), np.float32)
    for _ in range(280):
        x, y, size = rng.uniform(0.2, 0.83) * width, 0.72 * rng.beta(1, 1.6) * height, rng.pareto(2.4)
        strength = 0.10 + 0.22 * min(size, 2.5)
        cv2.circle(light, (round(x * 8), round(y * 8)), round(7 + 3 * min(size, 3)), strength, cv2.FILLED, shift=3)
    return tinted(cv2.GaussianBlur(light, (0, 0), 0.8) * sky**3, (0.85, 0.92, 1.0))


TABLE_ABOVE = 110
"""Rows of table that are added above the photograph of the coffee, so that its steam has somewhere to rise."""

COFFEE_CENTRE, COFFEE_RADIUS = (287.0, 145.0 + TABLE_ABOVE), (80.0, 47.0)


def coffee(ripples: Sequence[float] = ()) -> Scene:
    """A cup of coffee on a wooden table: steam, the moving shadow of leaves.

    Each time (seconds) in `ripples` sends a ring over the coffee: somebody knocks on the table.
    """
    photo = more_table(photograph("coffee"))
    depth = depth_map(
        (photo.shape[1], photo.shape[0]),
        [
            (0.12, box(-20, 290, 620, 530)),
            (0.35, oval(280, 338, 202, 158)),
            (0.45, [(325, 380), (380, 180), (425, 175), (405, 410), (360, 440)]),
            (0.7, oval(288, 275, 118, 115)),
            (0.55, oval(228, 378, 36, 42)),
            (1.0, oval(290, 222, 117, 95)),
            (0.75, oval(*COFFEE_CENTRE, *COFFEE_RADIUS)),
        ],
        8,
    )
    plate = defocused(make_plate(photo, depth), sharp=oval(290, 290, 215, 175), blur=2.2)
    steam = Vapour(seed=31, speed_x=7, speed_y=-44, grain=17, stretch=2.3)
    leaves = cloud(51, slope=2.1)

    def ripple(x: Array, y: Array, seconds: float) -> tuple[Array, Array]:
        across, down = (x - COFFEE_CENTRE[0]) / COFFEE_RADIUS[0], (y - COFFEE_CENTRE[1]) / COFFEE_RADIUS[1]
        radius = np.sqrt(across * across + down * down)
        rise = np.zeros_like(radius)
        for start in ripples:
            since = seconds - start
            if since > 0:
                rise += np.sin(2 * np.pi * (3.2 * radius - 5 * since)) * np.float32(np.exp(-since / 0.3))
        rise *= np.float32(2.2) * (1 - smoothstep(0.75, 1.0, radius))
        return x + 0.5 * rise * across, y + rise

    def light(exposure: Exposure, seconds: float) -> Array:
        x, y = half(exposure.x), half(exposure.y)
        t = np.float32(seconds)
        rise = np.asarray(np.clip((262 - y) / 250, 0, 1), np.float32)
        stem = 284 + 20 * rise * np.sin(5 * rise - 1.6 * t) + 40 * rise
        width = 44 + 50 * rise
        plume = np.exp(-(((x - stem) / width) ** 2)) * smoothstep(0, 0.2, rise) * (1 - smoothstep(0.7, 1.0, rise))
        wisps = smoothstep(0.12, 0.52, steam.density(x, y, seconds)) * plume
        sun = drift(leaves, 0.36 * x + 0.18 * y + 7 * t + 140, 0.36 * y - 0.14 * x + 2.5 * np.sin(1.3 * t))
        sun = smoothstep(0.30, 0.50, sun)
        lit = exposure.light * tinted(full(1.15 * sun, exposure.x), (0.88, 0.96, 0.92))
        lit += exposure.light * np.array((0.20, 0.25, 0.36), np.float32)
        return np.asarray(lit + tinted(full(wisps * (0.24 + 0.34 * sun), exposure.x), (1, 0.96, 0.9)), np.float32)

    film = Film(bloom=0.16, vignette=0.5, shoulder=0.75, tint_shadows=(0.0, 0.006, 0.02))
    return Scene(plate, light, film, (ripple,))


def more_table(photo: Photo) -> Photo:
    """Continue the table above the photograph, along its own edge and grain, darker towards the top."""
    height, width = photo.shape[:2]
    y, x = np.mgrid[-TABLE_ABOVE:height, 0:width].astype(np.float32)
    above = y < 6
    x[above] += 1.43 * (y[above] - 6)  # the slant of the table's edge
    y_read = np.where(above, 6 + 5 * np.sin(0.25 * y), y)  # weaving through the first rows, so that nothing streaks
    whole = cv2.remap(photo, x, y_read, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    fade = (0.3 + 0.7 * smoothstep(-TABLE_ABOVE, 60, y))[..., None]
    return np.asarray(whole * fade, np.uint8)


EYES = (((173.0, 112.0), (20.0, 22.0)), ((315.0, 134.0), (13.5, 19.0)))
"""Centre of the cat's pupils and the reach of their movement in world pixels."""

PUPIL_SECONDS = 2.8
"""The cat's pupils widen, and it glances aside, once in this time."""


def cat() -> Scene:
    """A cat on a porch in the rain at dusk, the lights of a street out of focus behind it; it breathes and glances."""
    photo = photograph("chelsea")
    size = (photo.shape[1], photo.shape[0])
    cheek = [(402, -20), (378, 60), (366, 100), (366, 140), (350, 190), (338, 215), (344, 238), (385, 262)]
    behind = [*cheek, (392, 320), (480, 320), (480, -20)]
    depth = depth_map(
        size,
        [
            (0.35, box(0, 0, 451, 300)),
            (0.5, oval(200, 60, 190, 90)),
            (0.7, oval(215, 140, 150, 110)),
            (0.85, oval(240, 190, 90, 90)),
            (1.0, oval(258, 238, 46, 44)),
            (0.0, behind),
            (0.0, [(-20, -20), (38, -20), (36, 70), (10, 120), (-20, 130)]),
        ],
        11,
    )
    street = depth_map(size, [(1.0, behind)], 5)
    plate = make_plate(photo, depth, sharpen=1.5)

    def breathe(x: Array, y: Array, seconds: float) -> tuple[Array, Array]:
        breath = np.float32(1.6 * np.sin(2 * np.pi * 0.45 * seconds))
        body = blob(x, y, (60, 300), (170, 120))
        return x + 0.5 * breath * body, y + breath * body

    def pupils(x: Array, y: Array, seconds: float) -> tuple[Array, Array]:
        wider = np.float32(0.36 * (1 - np.cos(2 * np.pi * seconds / PUPIL_SECONDS)) / 2)
        glance = np.float32(3.0) * smoothstep(0.45, 0.55, seconds % PUPIL_SECONDS / PUPIL_SECONDS)
        for centre, radius in EYES:
            within = blob(x, y, centre, radius)
            x = x - within * (wider * (x - np.float32(centre[0])) + glance)
        return x, y

    def light(exposure: Exposure, seconds: float) -> Array:
        x, y = half(exposure.x), half(exposure.y)
        warm = tinted(1.45 * blob(x, y, (318 + 14 * np.sin(1.1 * seconds), 120), (135, 190)), (1.0, 0.88, 0.74))
        cool = tinted(0.62 * blob(x, y, (70, 90), (190, 260)), (0.50, 0.80, 1.25))
        dusk = exposure.light * full(warm + cool, exposure.x)
        open_street = np.asarray(
            cv2.remap(street, exposure.x, exposure.y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE), np.float32
        )
        dusk *= 1 - tinted(open_street, (0.85, 0.82, 0.77))
        frame = exposure.x.shape
        far = 0.19 * full(rain(frame, seconds, seed=5, count=230, length=0.11, speed=1.9), open_street)
        near = 0.05 * full(rain(frame, seconds, seed=6, count=26, length=0.2, speed=3.4, soft=2.2), open_street)
        dusk += (bokeh(exposure, seconds) + tinted(far, (0.8, 0.9, 1.0))) * open_street[..., None]
        return np.asarray(dusk + tinted(near, (0.8, 0.9, 1.0)), np.float32)

    film = Film(bloom=0.2, vignette=0.5, tint_shadows=(0.0, 0.008, 0.03))
    return Scene(plate, light, film, (breathe, pupils))


def bokeh(exposure: Exposure, seconds: float) -> Array:
    """Return the lights of a street far out of focus, some of them passing by."""
    rng = np.random.default_rng(3)
    x, y = half(half(exposure.x)), half(half(exposure.y))
    light = np.zeros((*x.shape, 3), np.float32)
    colours = ((1.0, 0.50, 0.16), (1.0, 0.72, 0.38), (0.95, 0.22, 0.12), (0.35, 0.60, 1.0), (0.45, 0.95, 0.72))
    for number in range(16):
        centre_x, centre_y = rng.uniform(340, 460), rng.uniform(0, 290)
        speed = rng.choice((0.0, 0.0, -9.0, 7.0))
        radius = rng.uniform(9, 17)
        reach = np.hypot(x - np.float32(centre_x + speed * seconds), y - np.float32(centre_y))
        reach /= np.float32(radius)
        disc = (0.75 + 0.25 * smoothstep(0.6, 0.95, reach)) * (1 - smoothstep(0.94, 1.04, reach))
        light += tinted(disc, colours[number % len(colours)]) * np.float32(rng.uniform(0.18, 0.6))
    return np.asarray(cv2.resize(light, exposure.x.shape[::-1], interpolation=cv2.INTER_CUBIC), np.float32)


MOUTH_CENTRE, MOUTH_HALF_WIDTH = (222.0, 147.0), 19.0
JAW = 11.0
"""How far the astronaut's lower lip goes down, in world pixels."""


def mouth_line(x: Array) -> Array:
    """Return the height at which the astronaut's lips part."""
    across = (x - np.float32(MOUTH_CENTRE[0])) / np.float32(MOUTH_HALF_WIDTH)
    return np.asarray(MOUTH_CENTRE[1] - 7 * np.clip(across * across, 0, 1.4), np.float32)


def parted(x: Array, open_: float) -> Array:
    """Return how far the lips are apart at each place across, in world pixels."""
    across = (x - np.float32(MOUTH_CENTRE[0])) / np.float32(MOUTH_HALF_WIDTH)
    return np.asarray(JAW * open_ * np.sqrt(np.clip(1 - across * across, 0, 1)), np.float32)


def astronaut(said: Sequence[Syllable]) -> Scene:
    """Say the syllables in a portrait of an astronaut: lips part, the chin goes down, the head nods a little."""
    photo = photograph("astronaut")
    depth = depth_map(
        (photo.shape[1], photo.shape[0]),
        [(0.6, box(110, 300, 330, 530)), (0.8, oval(222, 110, 78, 95)), (0.7, box(190, 130, 255, 260))],
        13,
    )
    plate = make_plate(photo, depth)

    def nod(x: Array, y: Array, seconds: float) -> tuple[Array, Array]:
        head = blob(x, y, (222, 110), (110, 130))
        return x + np.float32(1.2 * np.sin(1.7 * seconds)) * head, y + np.float32(0.9 * np.sin(2.3 * seconds)) * head

    def speak(x: Array, y: Array, seconds: float) -> tuple[Array, Array]:
        down = y - mouth_line(x)
        jaw = np.float32(JAW * opening(list(said), seconds)) * blob(x, np.zeros_like(y), (222, 0), (34, 1))
        gap = np.minimum(parted(x, opening(list(said), seconds)), jaw)
        chin = jaw * (1 - smoothstep(14, 52, down)) * smoothstep(-1, 1, down)
        return x, np.where(down > 0, np.maximum(y - np.maximum(chin, gap * (down < gap)), mouth_line(x)), y)

    def light(exposure: Exposure, seconds: float) -> Array:
        x, y = nod(exposure.x, exposure.y, seconds)
        gap = parted(x, opening(list(said), seconds))
        down = y - mouth_line(x)
        inside = smoothstep(-0.4, 0.6, down) * (1 - smoothstep(-0.8, 0.4, down - gap)) * (gap > 0.3)
        mouth = 1 - inside[..., None] * np.array((0.82, 0.93, 0.92), np.float32)
        return np.asarray(exposure.light * mouth, np.float32)

    return Scene(plate, light, Film(bloom=0.1, vignette=0.3), (nod, speak))
