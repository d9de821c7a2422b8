// Colours of the map's cells. Both themes are in each string, so a change of theme needs no redraw.
// Dark paper turns the ramp around: what is larger is always farther from the paper. Lightness alone orders both ramps,
// so they read without colour vision.
import { interpolateRgbBasis } from 'd3-interpolate';

export const ramp_light = interpolateRgbBasis(['#f1f5f4', '#d4e7e5', '#97ccd1', '#4ba2be', '#2a70a7', '#253f88', '#171a50']);
export const ramp_dark = interpolateRgbBasis(['#171f27', '#1a374a', '#1e566f', '#2a7c8e', '#55a7a2', '#a3d2ae', '#f6f5bf']);

function luminance(rgb) {
    const [r, g, b] = rgb.match(/\d+/g).map((v) => ((v / 255) ** 2.2));
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
}
// Whichever contrasts more: at least 4.5 on any ground, which no pair but pure black and white gives.
const ink = (rgb) => (luminance(rgb) > 0.179 ? '#000000' : '#ffffff');

const both = (light, dark) => ({ backgroundColor: `light-dark(${light}, ${dark})`, color: `light-dark(${ink(light)}, ${ink(dark)})` });

// A scale has a fixed domain of decades, so that two pages can be laid side by side.
export function scale(first, last, light, dark) {
    const steps = 2 * (last - first);
    const colors = Array.from({ length: steps }, (_, i) => both(light(i / (steps - 1)), dark(i / (steps - 1))));
    return {
        first, last, colors,
        of: (x) => colors[Math.min(steps - 1, Math.max(0, Math.floor(2 * (Math.log10(x) - first))))],
    };
}
