// Over the layers: the error, and, apart from it, the size of the activations. Then which stage makes errors larger.
import { dot, lineY, ruleX, text, tickX } from '@observablehq/plot';
import { useCallback } from 'preact/hooks';
import { Figure, integer_ticks, Key, log_axis } from './figure.jsx';
import { key, number } from '../../shared/format.js';
import { largest } from './sides.js';
import { Term } from '../../shared/terms.jsx';

const notable_growth = 3;  // growth in all from which the explanation is shown

function ErrorCurve({ report, outs }) {
    const series = [
        { name: `Kylin against ${report.reference.engine}`, color: 'var(--ink)', dash: undefined, of: (cell) => cell.accumulated.worst_row },
        { name: 'Kylin against the oracle', color: 'var(--ours)', dash: '5 3', of: (cell) => cell.oracle?.ours },
        { name: `${report.reference.engine} against the oracle`, color: 'var(--reference)', dash: '2 2', of: (cell) => cell.oracle?.reference },
    ].map((s) => ({ ...s, points: outs.map((cell) => ({ layer: cell.layer, y: s.of(cell), name: s.name })).filter((p) => p.y !== undefined) }))
        .filter((s, i) => i === 0 || s.points.some((p) => p.y !== 0));  // the oracle is not drawn against itself
    const [free] = series;
    const jumps = free.points.filter((p, i) => i > 0 && p.y > 2 * free.points[i - 1].y && free.points[i - 1].y > 0);
    const options = useCallback((width) => {
        const { axis, at } = log_axis(series.flatMap((s) => s.points.map((p) => p.y)), 'relative error');
        return {
            height: 230, marginLeft: 46,
            x: { label: 'layer', ticks: integer_ticks(0, report.model.n_layer - 1, width), tickFormat: String, domain: [0, Math.max(1, report.model.n_layer - 1)] },
            y: axis,
            marks: [
                ...series.flatMap((s) => [
                    lineY(s.points, { x: 'layer', y: (p) => (p.y === null ? NaN : at(p.y)), stroke: s.color, strokeWidth: 1.8, strokeDasharray: s.dash }),
                    dot(s.points.filter((p) => p.y === null), { x: 'layer', y: (p) => at(p.y), symbol: 'times', stroke: s.color, strokeWidth: 2 }),
                    dot(s.points.filter((p) => p.y !== null), { x: 'layer', y: (p) => at(p.y), fill: s.color, r: 2, title: (p) => `${p.name}\nlayer ${p.layer}: ${number(p.y)}`, tip: true }),
                ]),
                dot(jumps, { x: 'layer', y: 'y', r: 6, stroke: 'var(--bad)', strokeWidth: 1.6 }),
            ],
        };
    }, [report]);
    const not_finite = series.some((s) => s.points.some((p) => p.y === null));
    return (
        <Figure label={`Accumulated relative error of layer_out over the layers, on a log scale. ${free.points.map((p) => `layer ${p.layer}: ${number(p.y)}`).join('; ')}`} options={options}>
            <h3>Error</h3>
            <p class="hint">Accumulated relative error of <code>layer_out</code>, worst token.</p>
            <ul class="keys">{series.map((s) => <Key key={s.name} color={s.color} dash={s.dash}>{s.name}</Key>)}{not_finite && <li>× not finite</li>}</ul>
            {jumps.length > 0 && <p class="flag">More than doubles in one layer (ringed): {jumps.map((p) => `layer ${p.layer} (×${number(p.y / free.points.find((q) => q.layer === p.layer - 1)?.y, 2)})`).join(', ')}.</p>}
        </Figure>
    );
}

function GrowthCurve({ report, outs }) {
    // The reference is drawn wide and pale, ours thin on top: two equal curves show as one with a rim.
    const series = [
        { name: 'reference', side: 'reference', color: 'var(--reference)', width: 4, opacity: 0.55 },
        { name: 'ours', side: 'ours', color: 'var(--ours)', width: 1.4, opacity: 1 },
    ].flatMap((s) => [
        { ...s, metric: 'std', dash: undefined, points: outs.map((cell) => ({ layer: cell.layer, y: cell[s.side].std })) },
        { ...s, metric: 'max |x|', dash: '4 3', points: outs.map((cell) => ({ layer: cell.layer, y: largest(cell[s.side]) })) },
    ]);
    const options = useCallback((width) => {
        const { axis, at } = log_axis(series.flatMap((s) => s.points.map((p) => p.y)), 'size of the activations');
        return {
            height: 230, marginLeft: 46,
            x: { label: 'layer', ticks: integer_ticks(0, report.model.n_layer - 1, width), tickFormat: String, domain: [0, Math.max(1, report.model.n_layer - 1)] },
            y: axis,
            marks: series.flatMap((s) => [
                lineY(s.points, { x: 'layer', y: (p) => (p.y === null ? NaN : at(p.y)), stroke: s.color, strokeWidth: s.width, strokeOpacity: s.opacity, strokeDasharray: s.dash }),
                dot(s.points.filter((p) => p.y === null), { x: 'layer', y: (p) => at(p.y), symbol: 'times', stroke: s.color, strokeWidth: 2 }),
                dot(s.points.filter((p) => p.y !== null), { x: 'layer', y: (p) => at(p.y), fill: s.color, r: s.side === 'ours' ? 1.5 : 0.1, title: (p) => `${s.name}, ${s.metric}\nlayer ${p.layer}: ${number(p.y)}`, tip: true }),
            ]),
        };
    }, [report]);
    const stds = outs.map((cell) => cell.reference.std);
    return (
        <Figure label={`Standard deviation and largest magnitude of layer_out over the layers, on a log scale. Standard deviation of the reference: ${stds.map((s, i) => `layer ${outs[i].layer}: ${number(s)}`).join('; ')}`} options={options}>
            <h3>Activations</h3>
            <p class="hint">Size of <code>layer_out</code>: not an error, drawn apart from it.</p>
            <ul class="keys">
                <Key color="var(--ours)">ours</Key><Key color="var(--reference)">reference</Key>
                <Key color="var(--muted)">std</Key><Key color="var(--muted)" dash="4 3">max |x|</Key>
            </ul>
        </Figure>
    );
}

// Says what growth means, where there is enough of it to worry someone.
function Growth({ report, outs }) {
    const usable = outs.filter((cell) => cell.reference.std > 0 && cell.ours.std > 0);
    if (usable.length < 2) return null;
    const [first, last] = [usable[0], usable.at(-1)];
    const total = last.reference.std / first.reference.std;
    const each = total ** (1 / (last.layer - first.layer));
    if (total < notable_growth) return null;
    const ratios = usable.map((cell) => ({ layer: cell.layer, x: Math.max(cell.ours.std / cell.reference.std, cell.reference.std / cell.ours.std) }));
    const apart = ratios.reduce((a, b) => (b.x > a.x ? b : a));
    return (
        <p class="aside">
            <b>Growth is not error.</b> The standard deviation of {report.reference.engine} goes from {number(first.reference.std)} (layer {first.layer}) to {number(last.reference.std)} (layer {last.layer}):
            ×{number(total)} in all, ×{number(each)} a layer. Models do this when nothing is wrong: a healthy Qwen3-1.7B grows ×1.2 a layer, and 1.2<sup>28</sup> = 165. Absolute differences
            grow with it: one F32 <Term name="ULP">ulp</Term> at 14,000 is already 9.8e-4. {apart.x < 1.1
                ? `Both engines grow alike${usable.length < outs.length ? ' where both are finite' : ''}: their standard deviations differ by at most ${number(100 * (apart.x - 1), 2)} %.`
                : `The engines do not grow alike: their standard deviations differ by ×${number(apart.x)} at layer ${apart.layer}; the error curve says how much of that is wrong.`}
        </p>
    );
}

function Amplification({ report }) {
    const all = report.cells.filter((cell) => cell.amplification !== null);
    const names = report.stages.map((stage) => stage.name).filter((name) => all.some((cell) => cell.stage === name));
    const middles = names.map((stage) => {
        const sorted = all.filter((cell) => cell.stage === stage).map((cell) => cell.amplification).sort((a, b) => a - b);
        return { stage, x: sorted[sorted.length >> 1] };
    });
    // The first error of a pass has almost none before it: its amplification is huge, and would press all others together.
    const edge = all.filter((cell) => Math.abs(Math.log10(cell.amplification)) <= 1).length >= 0.9 * all.length ? 10 : 100;
    const options = useCallback(() => {
        const { axis } = log_axis([1 / edge, edge], 'error out / largest error in');
        const at = (x) => Math.min(edge, Math.max(1 / edge, x));
        const inside = (cell) => at(cell.amplification) === cell.amplification;
        const title = (cell) => `${key(cell.stage, cell.layer)}: ×${number(cell.amplification)}`;
        return {
            height: 46 + 17 * names.length, marginLeft: 100, marginRight: 58, marginTop: 6, x: axis,
            y: { type: 'band', domain: names, label: null, padding: 0.25 },
            marks: [
                ruleX([1], { stroke: 'var(--muted)' }),
                dot(all.filter(inside), { y: 'stage', x: 'amplification', fill: 'var(--ours)', fillOpacity: 0.45, r: 3, title, tip: true }),
                dot(all.filter((cell) => !inside(cell)), { y: 'stage', x: (cell) => at(cell.amplification), symbol: 'diamond', stroke: 'var(--ours)', strokeWidth: 1.5, r: 4, title, tip: true }),
                tickX(middles, { y: 'stage', x: (m) => at(m.x), stroke: 'var(--ink)', strokeWidth: 2 }),
                text(middles, { y: 'stage', frameAnchor: 'right', text: (m) => `×${number(m.x, 2)}`, textAnchor: 'start', dx: 12, fill: 'var(--muted)' }),
            ],
        };
    }, [report]);
    if (all.length === 0) return null;
    return (
        <section aria-labelledby="amplification-title">
            <h2 id="amplification-title">Amplification of each stage</h2>
            <p class="hint"><Term name="amplification">Error out over error in</Term>; a dot for each layer, a tick and the number at the median. Right of 1 the stage makes errors larger. Diamonds at the edges lie beyond.</p>
            <Figure label={`Amplification of each stage, median over the layers: ${middles.map((m) => `${m.stage} ${number(m.x, 2)}`).join(', ')}`} options={options} />
        </section>
    );
}

export function Curves({ report, cells }) {
    const outs = Array.from({ length: report.model.n_layer }, (_, layer) => cells.get(key('layer_out', layer))).filter(Boolean);
    return (
        <>
            <section aria-labelledby="curves-title">
                <h2 id="curves-title">Over the layers</h2>
                {outs.length === 0
                    ? <p class="hint">No curve: <code>layer_out</code> was not compared in any layer.</p>
                    : <><div class="pair"><ErrorCurve report={report} outs={outs} /><GrowthCurve report={report} outs={outs} /></div><Growth report={report} outs={outs} /></>}
            </section>
            <Amplification report={report} />
        </>
    );
}
