// Colours of the map's cells. Both themes are in each string, so a change of theme needs no redraw.
// Dark paper turns the ramp around: what is larger is always farther from the paper. Lightness alone orders both ramps,
// so they read without colour vision.
import { interpolateRgbBasis } from 'd3-interpolate';

const error_light = interpolateRgbBasis(['#f1f5f4', '#d4e7e5', '#97ccd1', '#4ba2be', '#2a70a7', '#253f88', '#171a50']);
const error_dark = interpolateRgbBasis(['#171f27', '#1a374a', '#1e566f', '#2a7c8e', '#55a7a2', '#a3d2ae', '#f6f5bf']);
// Blue below 1, the colour of divergence above it, and nothing between the two.
const halves = (below, above) => (t) => (t < 0.5 ? below(2 * t) : above(2 * t - 1));
const bound_light = halves(interpolateRgbBasis(['#f1f5f8', '#d9e7f1', '#b4d0e6']), interpolateRgbBasis(['#f7a583', '#cf4a1c', '#5c1300']));
const bound_dark = halves(interpolateRgbBasis(['#161e25', '#1a2c3b', '#1f4059']), interpolateRgbBasis(['#a8401c', '#ff8a66', '#ffe6db']));

function luminance(rgb) {
    const [r, g, b] = rgb.match(/\d+/g).map((v) => ((v / 255) ** 2.2));
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
}
const ink = (rgb) => (luminance(rgb) > 0.2 ? '#101418' : '#ffffff');

const both = (light, dark) => ({ backgroundColor: `light-dark(${light}, ${dark})`, color: `light-dark(${ink(light)}, ${ink(dark)})` });

// A scale has a fixed domain of decades, so that two reports can be laid side by side.
function scale(first, last, light, dark) {
    const steps = 2 * (last - first);
    const colors = Array.from({ length: steps }, (_, i) => both(light(i / (steps - 1)), dark(i / (steps - 1))));
    return {
        first, last, colors,
        of: (x) => colors[Math.min(steps - 1, Math.max(0, Math.floor(2 * (Math.log10(x) - first))))],
    };
}
export const error_scale = scale(-8, 0, error_light, error_dark);
export const bound_scale = scale(-3, 3, bound_light, bound_dark);
