// The colours of the report's map.
import { interpolateRgbBasis } from 'd3-interpolate';
import { ramp_dark, ramp_light, scale } from '../../shared/color.js';

// Blue below 1, the colour of divergence above it, and nothing between the two.
const halves = (below, above) => (t) => (t < 0.5 ? below(2 * t) : above(2 * t - 1));
const bound_light = halves(interpolateRgbBasis(['#f1f5f8', '#d9e7f1', '#b4d0e6']), interpolateRgbBasis(['#f7a583', '#cf4a1c', '#5c1300']));
const bound_dark = halves(interpolateRgbBasis(['#161e25', '#1a2c3b', '#1f4059']), interpolateRgbBasis(['#a8401c', '#ff8a66', '#ffe6db']));

export const error_scale = scale(-8, 0, ramp_light, ramp_dark);
export const bound_scale = scale(-3, 3, bound_light, bound_dark);
