// Numbers and names as text. Every number on the page passes here.

// Three digits; powers of ten where the number is far from 1. null means that the number is not finite.
export function number(x, digits = 3) {
    if (x === null || x === undefined) return 'not finite';
    if (x === 0) return '0';
    const size = Math.abs(x);
    const rounded = Number(x.toPrecision(digits));
    return size >= 1e-3 && size < 1e5 ? String(rounded) : rounded.toExponential().replace('e+', 'e');
}

export const amount = (x, unit) => (x === null ? 'not finite' : `${number(x)} ${unit}`);

// One digit, for a cell of the map.
export function short(x) {
    if (x === 0) return '0';
    if (x >= 0.095 && x < 9.5) return String(Number(x.toPrecision(1)));
    if (x >= 9.5 && x < 999.5) return String(Math.round(x));
    return x.toExponential(0).replace('e+', 'e');
}

export const percent = (x) => (x === null ? 'not finite' : `${Number((100 * x).toFixed(x > 0.999 && x < 1 ? 3 : 1))} %`);
export const count = (n, word) => `${n.toLocaleString('en')} ${word}${n === 1 ? '' : 's'}`;
export const power = (exponent) => (exponent >= 0 && exponent <= 3 ? String(10 ** exponent) : `1e${exponent}`);

// Spaces and line ends of a token's text, made visible.
export const visible = (text) => text.replaceAll(' ', '␣').replaceAll('\n', '⏎').replaceAll('\t', '⇥') || '∅';

export const place = (stage, layer) => (layer === null ? stage : `${stage}, layer ${layer}`);
export const key = (stage, layer) => (layer === null ? stage : `${stage}.${layer}`);
