// The inspector: everything the report knows of one cell.
import { barY, dot, lineY, rectY, ruleX } from '@observablehq/plot';
import { useCallback } from 'preact/hooks';
import { Figure, integer_ticks, Key, log_axis } from './figure.jsx';
import { count, key, number, place, visible } from '../../shared/format.js';
import { Term } from '../../shared/terms.jsx';
import { bound_ratios } from './sides.js';

const decibel = (x) => (x === null ? 'none' : `${number(x)} dB`);

// [label, how to read it from a difference]
const metrics = [
    ['worst token, relative', (d) => `${number(d.worst_row)} (token ${d.worst_token})`],
    ['largest |difference|', (d) => number(d.max_abs)],
    ['mean |difference|', (d) => number(d.mean_abs)],
    ['RMSE', (d) => number(d.rmse)],
    [<Term name="NMSE" />, (d) => number(d.nmse)],
    ['cosine', (d) => (d.cosine !== null && d.cosine < 1 && d.cosine > 0.999 ? `1 - ${number(1 - d.cosine)}` : number(d.cosine))],
    [<Term name="SNR" />, (d) => (d.nmse === 0 ? 'no noise' : decibel(d.snr_db))],
];

const summaries = [
    ['mean', (s) => number(s.mean)], ['standard deviation', (s) => number(s.std)], ['least', (s) => number(s.min)], ['largest', (s) => number(s.max)],
    ['NaN', (s) => count(s.nan, 'value')], ['infinite', (s) => count(s.inf, 'value')], [<Term name="headroom" />, (s) => (s.headroom === null ? 'none' : `${number(s.headroom)} bits`)],
];

const Table = ({ title, columns, rows, sides }) => (
    <table class="values">
        <thead><tr><th scope="col">{title}</th>{columns.map((c, i) => <th key={i} scope="col">{c}</th>)}</tr></thead>
        <tbody>{rows.map(([label, read], i) => <tr key={i}><th scope="row">{label}</th>{sides.map((side, j) => <td key={j}>{read(side)}</td>)}</tr>)}</tbody>
    </table>
);

function Judgement({ cell }) {
    const { bound, oracle } = cell;
    const facts = [];
    if (bound) {
        const say = (x) => (x === undefined ? 'has none' : <span class={x === null || x > 1 ? 'beyond' : ''}>{number(x)}{x !== null && x > 1 ? ': not rounding' : ''}</span>);
        const { ours, reference } = bound_ratios(cell);
        facts.push([<Term name="bound ratio" />, <>Kylin {say(ours)}; reference {say(reference)}</>], ['typical bound', `${number(bound.typical)} (RMS over the elements)`]);
    } else facts.push([<Term name="bound" />, 'none for this cell']);
    if (oracle) facts.push(['against the oracle', `Kylin ${number(oracle.ours)}; reference ${number(oracle.reference)} (accumulated, worst token)`]);
    facts.push([<Term name="amplification" />, cell.amplification === null ? 'none' : `×${number(cell.amplification)}`]);
    if (cell.non_outlier_nmse !== null) facts.push([<Term name="non-outlier NMSE" />, `${number(cell.non_outlier_nmse)} (accumulated)`]);
    if (cell.threshold !== null) facts.push(['seed threshold', `${number(cell.threshold)} (largest |difference|)`]);
    return <dl class="judgement">{facts.map(([name, value], i) => <div key={i}><dt>{name}</dt><dd>{value}</dd></div>)}</dl>;
}

function Worst({ report, cell }) {
    if (cell.worst.length === 0) return null;
    const heads = cell.worst.some((w) => w.head !== null);
    const channel = /^attn_(scores|probs)$/.test(cell.stage) ? 'key' : 'channel';
    return (
        <div class="scroll" tabIndex={0} role="group" aria-label="Worst elements">
            <table class="values">
                <caption>Worst elements, local</caption>
                <thead><tr><th scope="col">token</th>{heads && <th scope="col">head</th>}<th scope="col">{channel}</th><th scope="col">ours</th><th scope="col">reference</th><th scope="col">difference</th></tr></thead>
                <tbody>
                    {cell.worst.map((w, i) => (
                        <tr key={i}>
                            <th scope="row">{w.token} <code>{visible(report.tokens[w.token]?.text ?? '')}</code></th>
                            {heads && <td>{w.head}</td>}<td>{w.channel}</td><td>{number(w.ours, 5)}</td><td>{number(w.reference, 5)}</td>
                            <td>{number(w.ours === null || w.reference === null ? null : w.ours - w.reference, 2)}</td>
                        </tr>
                    ))}
                </tbody>
            </table>
        </div>
    );
}

function Ulps({ cell }) {
    const options = useCallback((width) => {
        const bars = (d) => {
            const sum = d.ulp_histogram.reduce((a, b) => a + b, 0);
            return d.ulp_histogram.map((n, i) => ({ i, n, share: sum ? (100 * n) / sum : 0 }));
        };
        const [local, free] = [bars(cell.local), bars(cell.accumulated)];
        const bins = Math.max(local.length, free.length, 4);
        const say = (name) => (b) => `${name}: ${count(b.n, 'element')} (${number(b.share)} %)\n${b.i === 0 ? '0' : b.i === 1 ? '1' : `${2 ** (b.i - 1)} to ${2 ** b.i - 1}`} ulps`;
        const ticks = integer_ticks(0, bins - 1, width * 0.9);
        return {
            height: 150, marginLeft: 40,
            // Roots, so that a thousandth of the elements still shows.
            y: { type: 'sqrt', label: '% of elements', domain: [0, 100], ticks: [1, 10, 25, 50, 100], grid: true },
            x: { label: 'difference, F32 ulps, at least', domain: [-0.5, bins - 0.5], ticks, tickFormat: (i) => (i < 2 ? String(i) : bins > 12 ? `2^${i - 1}` : String(2 ** (i - 1))) },
            marks: [
                rectY(free, { x1: (b) => b.i - 0.42, x2: (b) => b.i + 0.42, y: 'share', fill: 'var(--faint)', title: say('accumulated'), tip: true }),
                rectY(local, { x1: (b) => b.i - 0.22, x2: (b) => b.i + 0.22, y: 'share', fill: 'var(--ours)', title: say('local'), tip: true }),
            ],
        };
    }, [cell]);
    if (cell.local.ulp_histogram.length + cell.accumulated.ulp_histogram.length === 0) return null;
    return (
        <Figure label={`Histogram of the local difference in ulps: ${cell.local.ulp_histogram.join(', ')} elements of 0, 1, 2 to 3, 4 to 7 and so on`} options={options}>
            <h3><Term name="ULP">ULPs</Term></h3>
            <ul class="keys"><li><i class="swatch" style={{ background: 'var(--ours)' }} />local</li><li><i class="swatch" style={{ background: 'var(--faint)' }} />accumulated</li></ul>
        </Figure>
    );
}

function Tokens({ report, cell }) {
    const options = useCallback((width) => {
        const { local, accumulated } = cell.per_token;
        const { axis, at } = log_axis([...local, ...accumulated], 'relative error');
        const n = Math.max(local.length, accumulated.length);
        const marks = [[accumulated, 'accumulated', 'var(--muted)', '4 3'], [local, 'local', 'var(--ours)', undefined]].flatMap(([values, name, stroke, strokeDasharray]) => {
            const points = values.map((y, x) => ({ x, y }));
            return [
                lineY(points, { x: 'x', y: (p) => (p.y === null ? NaN : at(p.y)), stroke, strokeDasharray }),
                dot(points, { x: 'x', y: (p) => at(p.y), fill: (p) => p.y === null ? 'var(--bad)' : stroke, r: n > 80 ? 1 : 2.2, title: (p) => `${name}, token ${p.x} ${visible(report.tokens[p.x]?.text ?? '')}: ${number(p.y)}`, tip: true }),
            ];
        });
        if (report.n_prompt < n) marks.unshift(ruleX([report.n_prompt - 0.5], { stroke: 'var(--muted)', strokeDasharray: '1 3' }));
        return { height: 150, marginLeft: 46, color: { type: 'identity' }, y: axis, x: { label: report.n_prompt < n ? 'token (decoded right of the dotted line)' : 'token', domain: [-0.5, n - 0.5], ticks: integer_ticks(0, n - 1, width), tickFormat: String }, marks };
    }, [cell, report]);
    if (cell.per_token.local.length === 0) return null;
    return (
        <Figure label={`Local relative error of each token: ${cell.per_token.local.map((x) => number(x, 2)).join(', ')}`} options={options}>
            <h3>Each token</h3>
            <ul class="keys"><Key color="var(--ours)" dot>local</Key><Key color="var(--muted)" dash="4 3" dot>accumulated</Key></ul>
        </Figure>
    );
}

function Heads({ cell }) {
    const heads = cell.per_head?.map((y, head) => ({ head, y: y ?? 0, finite: y !== null }));
    const options = useCallback((width) => {
        const top = Math.max(...heads.map((h) => h.y)) || 1;
        return {
            height: 130, marginLeft: 52,
            x: { type: 'band', label: 'head', domain: heads.map((h) => h.head), ticks: integer_ticks(0, heads.length - 1, width), tickFormat: String, padding: 0.2 },
            y: { label: 'relative error', domain: [0, top], ticks: 4, grid: true, tickFormat: (x) => number(x, 2) },
            marks: [barY(heads, { x: 'head', y: 'y', fill: 'var(--ours)', title: (h) => `head ${h.head}: ${h.finite ? number(h.y) : 'not finite'}`, tip: true })],
        };
    }, [cell]);
    if (!heads) return null;
    const not_finite = heads.filter((h) => !h.finite).map((h) => h.head);
    return (
        <Figure label={`Local relative error of each head: ${heads.map((h) => (h.finite ? number(h.y, 2) : 'not finite')).join(', ')}`} options={options}>
            <h3>Each head, local</h3>
            {not_finite.length > 0 && <p class="flag">Not finite in head {not_finite.join(', ')}.</p>}
        </Figure>
    );
}

// Another way to a cell than the map, for fingers and for screen readers.
function Chooser({ report, cells, cell, select }) {
    const layers = [...cells.values()].filter((c) => c.stage === cell.stage && c.layer !== null).map((c) => c.layer);
    const stages = report.stages.filter((s) => [...cells.values()].some((c) => c.stage === s.name));
    const nearest = (stage) => {
        const there = [...cells.values()].filter((c) => c.stage === stage);
        return there.find((c) => c.layer === cell.layer) ?? there[0];
    };
    return (
        <div class="chooser">
            <label>Stage <select value={cell.stage} onChange={(e) => select(key(e.target.value, nearest(e.target.value).layer))}>{stages.map((s) => <option key={s.name}>{s.name}</option>)}</select></label>
            {layers.length > 0 && <label>Layer <select value={cell.layer} onChange={(e) => select(key(cell.stage, Number(e.target.value)))}>{layers.map((l) => <option key={l} value={l}>{l}</option>)}</select></label>}
        </div>
    );
}

export function Details({ report, cells, cell, select }) {
    if (!cell) return <section class="details" aria-label="Details"><p class="hint">No cell was compared.</p></section>;
    const stage = report.stages.find((s) => s.name === cell.stage);
    return (
        <section class="details" id="details" aria-label="Details of the chosen cell">
            <Chooser report={report} cells={cells} cell={cell} select={select} />
            <h2 aria-live="polite"><code>{place(cell.stage, cell.layer)}</code> <span class={`badge verdict-${cell.verdict.replace(' ', '-')}`}><Term name={cell.verdict} /></span></h2>
            <p class="hint">{stage?.meaning}. {count(cell.rows, 'row')} of {count(cell.width, 'value')}{cell.n_heads > 1 && `, ${cell.n_heads} heads`}.{cell.noise && <> Explained by: <b>{cell.noise}</b>.</>}</p>
            <Judgement cell={cell} />
            <Table title="Difference" columns={[<Term name="local" />, <Term name="accumulated" />]} rows={metrics} sides={[cell.local, cell.accumulated]} />
            <Table title="Values" columns={['ours', 'reference']} rows={summaries} sides={[cell.ours, cell.reference]} />
            <Worst report={report} cell={cell} />
            <Heads cell={cell} />
            <Tokens report={report} cell={cell} />
            <Ulps cell={cell} />
        </section>
    );
}
