// Observable Plot in Preact, and the axes that all charts share.
import { plot } from '@observablehq/plot';
import { useEffect, useLayoutEffect, useRef, useState } from 'preact/hooks';
import { number, power } from '../../shared/format.js';

// Draws options(width) as wide as its place is. label says to those who do not see it what the chart shows.
export function Figure({ label, options, children }) {
    const box = useRef(null);
    const [width, set_width] = useState(0);
    useLayoutEffect(() => {
        const observer = new ResizeObserver(([entry]) => set_width(Math.floor(entry.contentRect.width)));
        observer.observe(box.current);
        return () => observer.disconnect();
    }, []);
    useEffect(() => {
        if (width < 50) return;
        const chart = plot({ width, marginRight: 12, ...options(width) });
        chart.setAttribute('role', 'img');
        chart.setAttribute('aria-label', label);
        box.current.replaceChildren(chart);
    }, [width, options, label]);
    return <figure>{children}<div class="chart" ref={box} /></figure>;
}

// A log axis over whole decades that holds every value. Zero has no place on it, so it gets a tick of its own below;
// null (not finite) is drawn at the upper edge.
export function log_axis(values, label) {
    const finite = values.filter((x) => x !== null && x > 0);
    const zero = values.some((x) => x === 0);
    const low = finite.length ? Math.floor(Math.log10(Math.min(...finite))) : -8;
    const high = Math.max(low + 1, finite.length ? Math.ceil(Math.log10(Math.max(...finite))) : 0);
    const bottom = zero ? low - 1 : low;
    const stride = Math.ceil((high - bottom) / 6);
    const ticks = [];
    for (let e = high; e >= low; e -= stride) ticks.push(10 ** e);
    if (zero) ticks.push(10 ** bottom);
    const at = (x) => (x === null ? 10 ** high : x > 0 ? x : 10 ** bottom);
    const axis = { type: 'log', domain: [10 ** bottom, 10 ** high], ticks, label, grid: true, nice: false,
        tickFormat: (x) => (zero && x <= 1.5 * 10 ** bottom ? '0' : decade(x)) };
    return { axis, at };
}

function decade(x) {
    const exponent = Math.round(Math.log10(x));
    return Math.abs(exponent) <= 2 ? number(10 ** exponent) : power(exponent);
}

// Whole numbers only, about one label in 40 pixels.
export function integer_ticks(first, last, width) {
    const stride = Math.max(1, Math.ceil((last - first) / Math.max(1, width / 40)));
    const nice = [1, 2, 4, 5, 10, 20, 25, 50, 100, 200, 250, 500, 1000].find((s) => s >= stride) ?? stride;
    return Array.from({ length: Math.floor((last - first) / nice) + 1 }, (_, i) => first + i * nice);
}

// A line sample of a legend. dash as in SVG.
export const Key = ({ color, dash, dot, children }) => (
    <li>
        <svg width="22" height="10" aria-hidden="true">
            <line x1="0" x2="22" y1="5" y2="5" stroke={color} stroke-width="2" stroke-dasharray={dash} />
            {dot && <circle cx="11" cy="5" r="3" fill={color} />}
        </svg>
        {children}
    </li>
);
