"""WCAG 2.2 AA, measured on the tokens: each text on each surface, in both themes, as the browser paints them."""

from tests.browser.conftest import Visitor

SURFACES = ["sunken", "canvas", "surface", "raised"]
STATES = ["pending", "processing", "completed", "failed", "timeout", "cancelled"]
TEXT = ["ink", "ink-soft", "ink-faint", "accent", *STATES]
MARKS = ["edge", "focus"]
MEASURE = """([fronts, backs]) => {
    const canvas = new OffscreenCanvas(1, 1).getContext("2d", {willReadFrequently: true});
    const probe = document.createElement("i");
    document.body.append(probe);
    const light = (token) => {
        probe.style.color = `var(--${token})`;
        canvas.clearRect(0, 0, 1, 1);
        canvas.fillStyle = getComputedStyle(probe).color;
        canvas.fillRect(0, 0, 1, 1);
        const [red, green, blue] = [...canvas.getImageData(0, 0, 1, 1).data].map((value) => {
            const part = value / 255;
            return part <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4;
        });
        return 0.2126 * red + 0.7152 * green + 0.0722 * blue;
    };
    const ratio = (a, b) => (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
    const found = {};
    for (const front of fronts)
        for (const back of backs) found[`${front} on ${back}`] = ratio(light(front), light(back));
    probe.remove();
    return found;
}"""


PAIRS = ((TEXT, SURFACES, 4.5), (MARKS, SURFACES, 3.0), (["on-accent"], ["accent", "accent-strong", "failed"], 4.5))


def test_contrast(visit: Visitor) -> None:
    page = visit("/full/problem/").page
    measured: dict[str, dict[str, float]] = {}
    for theme in ("light", "dark"):
        page.emulate_media(color_scheme=theme)
        measured[theme] = {}
        for fronts, backs, least in PAIRS:
            ratios: dict[str, float] = page.evaluate(MEASURE, [fronts, backs])
            assert len(ratios) == len(fronts) * len(backs)
            assert {pair: round(ratio, 2) for pair, ratio in ratios.items() if ratio < least} == {}, theme
            measured[theme] |= ratios
    assert measured["light"] != measured["dark"], "the theme did not change"
