// Panels that do not depend on the chosen cell: logits, outliers, logit lens, ledger, thresholds, notes.
import { amount, count, number, percent, place, visible } from '../../shared/format.js';
import { Term } from '../../shared/terms.jsx';
import { bound_ratios } from './sides.js';

const Facts = ({ rows }) => <dl class="panel-facts">{rows.filter(Boolean).map(([name, value], i) => <div key={i}><dt>{name}</dt><dd>{value}</dd></div>)}</dl>;

const token_name = (report, i) => <>token {i} <code>{visible(report.tokens[i]?.text ?? '')}</code></>;

export function Logits({ report }) {
    const l = report.logits;
    const d = l?.first_difference;
    return (
        <section aria-labelledby="logits-title">
            <h2 id="logits-title">Logits</h2>
            {!l ? <p class="hint">The logits were not compared: the reference's trace lacks them.</p> : (
                <>
                    <Facts rows={[
                        [<><Term name="KL" />, mean</>, l.kl_mean === null ? 'not finite' : `${number(l.kl_mean)} ± ${number(l.kl_standard_error, 2)} nats (standard error)`],
                        ['KL, largest', <>{amount(l.kl_max, 'nats')}, {token_name(report, l.kl_max_token)}</>],
                        ['Same first choice', `${percent(l.top1_agreement)} of tokens`],
                        ['Top 5 shared', `${percent(l.top5_agreement)} of the reference's five`],
                        ['Top 10 shared', `${percent(l.top10_agreement)} of the reference's ten`],
                        [<>Least <Term name="margin" /></>, <>{amount(l.least_margin, 'logits')}, {token_name(report, l.least_margin_token)}</>],
                    ]} />
                    {!d ? <p>After every token both engines would choose the same next one.</p> : (
                        <p class="aside"><b>First different choice</b> after {token_name(report, d.token)}: Kylin takes id {d.ours}, {report.reference.engine} takes id {d.reference}.
                            {' '}The two are {number(d.margin)} apart in Kylin's logits; Kylin is up to {number(d.noise)} from the oracle there.
                            {d.margin !== null && d.noise !== null && (d.margin <= d.noise ? ' The noise is larger than the margin: rounding decides this choice.' : ' The margin is larger than Kylin\'s noise: rounding in Kylin does not explain this.')}</p>
                    )}
                </>
            )}
        </section>
    );
}

export function Outliers({ report }) {
    const { massive, least_headroom: head, first_not_finite: bad } = report.outliers;
    return (
        <section aria-labelledby="outliers-title">
            <h2 id="outliers-title">Outliers</h2>
            <Facts rows={[
                [<>Least <Term name="headroom" /></>, head.bits === null ? 'none' : <>{number(head.bits)} bits, <code>{place(head.stage, head.layer)}</code>{head.bits < 0 && <span class="beyond"> beyond F16's range</span>}</>],
                ['First NaN or infinity', bad ? <span class="beyond">{bad.engine === 'ours' ? 'Kylin' : report.reference.engine}, <code>{place(bad.stage, bad.layer)}</code>, {token_name(report, bad.token)}</span> : 'none'],
                [<Term name="massive activation">Massive activations</Term>, massive.length === 0 ? 'none' : count(massive.length, 'place')],
            ]} />
            {massive.length > 0 && (
                <div class="scroll tall" tabIndex={0} role="group" aria-label="Massive activations">
                    <table class="values massive">
                        <thead><tr><th scope="col">layer</th><th scope="col">token</th><th scope="col">channel</th><th scope="col">ours</th><th scope="col">reference</th><th scope="col">in</th></tr></thead>
                        <tbody>{massive.map((m, i) => <tr key={i}><th scope="row">{m.layer}</th><td>{m.token}</td><td>{m.channel}</td><td>{number(m.ours, 5)}</td><td>{number(m.reference, 5)}</td><td class={m.state === 'both' ? '' : 'beyond'}>{m.state}</td></tr>)}</tbody>
                    </table>
                </div>
            )}
        </section>
    );
}

// Neighbouring layers that predict the same make one row.
function lens_ranges(layers) {
    const ranges = [];
    for (const layer of layers) {
        const last = ranges.at(-1);
        if (last && last.ours === layer.ours && last.reference === layer.reference) last.to = layer.layer;
        else ranges.push({ ...layer, from: layer.layer, to: layer.layer });
    }
    return ranges;
}

export function Lens({ report }) {
    const { lens } = report;
    return (
        <section aria-labelledby="lens-title">
            <h2 id="lens-title">Logit lens</h2>
            {!lens ? <p class="hint">No lens: the report holds none.</p> : (
                <>
                    <p class="hint"><Term name="logit lens">What each layer's output would predict</Term> after the last token. Kylin's choice is final from layer {lens.ours_settled} on, {report.reference.engine}'s from layer {lens.reference_settled} on.</p>
                    <ol class="lens">
                        {lens_ranges(lens.layers).map((r) => (
                            <li key={r.from} class={`${r.ours === r.reference ? '' : 'apart'} ${r.from >= lens.ours_settled && r.from >= lens.reference_settled ? 'settled' : ''}`}>
                                <small>{r.from === r.to ? `layer ${r.from}` : `layers ${r.from}–${r.to}`}</small>
                                {r.ours === r.reference ? <code title={`id ${r.ours}`}>{visible(r.ours_text)}</code>
                                    : <><code class="ours" title={`Kylin, id ${r.ours}`}>{visible(r.ours_text)}</code><code class="reference" title={`${report.reference.engine}, id ${r.reference}`}>{visible(r.reference_text)}</code></>}
                            </li>
                        ))}
                    </ol>
                    {lens.layers.some((l) => l.ours !== l.reference) && <p class="hint"><i class="key ours" />ours <i class="key reference" />reference, where they differ.</p>}
                </>
            )}
        </section>
    );
}

export function Ledger({ report }) {
    const [low, high] = [-8, 0];
    const share = (x) => (x === null || x <= 0 ? 0 : Math.min(100, Math.max(1, (100 * (Math.log10(x) - low)) / (high - low))));
    const names = { ours: 'Kylin', reference: report.reference.engine, model: 'the model file' };
    const rows = [...report.ledger].sort((a, b) => (b.relative_error ?? Infinity) - (a.relative_error ?? Infinity));
    return (
        <section aria-labelledby="ledger-title">
            <h2 id="ledger-title">Ledger of error sources</h2>
            {rows.length === 0 ? <p class="hint">No source of error was measured.</p> : (
                <>
                    <p class="hint">Effect of each source on the logits with everything else unchanged. Bars: relative error, log scale from 1e-8 to 1, a line each two decades.</p>
                    <table class="ledger">
                        <thead><tr><th scope="col">source</th><th scope="col">relative error</th><th scope="col"><Term name="KL" />, nats</th></tr></thead>
                        <tbody>
                            {rows.map((row, i) => (
                                <tr key={i}>
                                    <th scope="row">{row.source} <small>{names[row.engine]}: {row.how}</small></th>
                                    <td class="bar"><span class={row.engine} style={{ width: `${share(row.relative_error)}%` }} /><b class={row.relative_error === null ? 'beyond' : ''}>{number(row.relative_error, 2)}</b></td>
                                    <td>{row.kl === null && row.relative_error !== null ? 'none' : number(row.kl, 2)}</td>
                                </tr>
                            ))}
                        </tbody>
                    </table>
                </>
            )}
        </section>
    );
}

// The cell of a stage with the largest number; not finite counts as the largest.
const worst_of = (cells, read) => cells.reduce((best, cell) => (best === null || (read(cell) ?? Infinity) > (read(best) ?? Infinity) ? cell : best), null);

function threshold_row(cells) {
    const worst = worst_of(cells, (cell) => cell.local.max_abs);
    const bounded = worst_of(cells.filter((cell) => bound_ratios(cell).larger !== undefined), (cell) => bound_ratios(cell).larger);
    const threshold = cells.find((cell) => cell.threshold !== null)?.threshold ?? null;
    const over_seed = threshold !== null && (worst.local.max_abs === null || worst.local.max_abs > threshold);
    const ratio = bounded && bound_ratios(bounded).larger;
    const proven = bounded && (ratio === null || ratio > 1);
    const wrong = proven || cells.some((cell) => cell.verdict === 'divergent');
    // The verdict speaks; the seed threshold is mentioned where it would have said something else.
    let reading = ['not judged', 'noise', 'rounding', 'exact'].find((verdict) => cells.some((cell) => cell.verdict === verdict));
    if (wrong) reading = threshold !== null && !over_seed ? 'divergent; the seed threshold would miss it' : 'divergent';
    else if (over_seed) reading = `beyond the seed threshold, yet ${reading}`;
    return { worst, bounded, threshold, ratio, wrong, reading };
}

export function Thresholds({ report }) {
    const rows = report.stages.map((stage) => [stage, report.cells.filter((cell) => cell.stage === stage.name)]).filter(([, cells]) => cells.length > 0);
    return (
        <section aria-labelledby="thresholds-title">
            <h2 id="thresholds-title">Thresholds</h2>
            <p class="hint">The seed thresholds are fixed absolute numbers, named in the first description of this engine for an F32 model. They are too strict where activations are large, and too loose where they are small. The
                {' '}<Term name="bound">certified bound</Term> is derived for each element from the arithmetic and its inputs, and it is what decides. Worst layer of each stage:</p>
            <div class="scroll" tabIndex={0} role="group" aria-label="Thresholds of each stage">
                <table class="values thresholds">
                    <thead><tr><th scope="col">stage</th><th scope="col">largest local |difference|</th><th scope="col">seed threshold</th><th scope="col">typical bound</th><th scope="col">bound ratio</th><th scope="col">reading</th></tr></thead>
                    <tbody>
                        {rows.map(([stage, cells]) => {
                            const row = threshold_row(cells);
                            const at = (cell) => (cell.layer === null ? '' : <small> layer {cell.layer}</small>);
                            return (
                                <tr key={stage.name}>
                                    <th scope="row"><code>{stage.name}</code></th>
                                    <td>{number(row.worst.local.max_abs, 2)}{at(row.worst)}</td>
                                    <td>{row.threshold === null ? 'none' : number(row.threshold)}</td>
                                    <td>{row.bounded ? number(row.bounded.bound.typical, 2) : 'none'}</td>
                                    <td class={row.wrong ? 'beyond' : ''}>{row.bounded ? <>{number(row.ratio, 2)}{at(row.bounded)}</> : 'none'}</td>
                                    <td class={row.wrong ? 'beyond' : ''}>{row.reading}</td>
                                </tr>
                            );
                        })}
                    </tbody>
                </table>
            </div>
        </section>
    );
}

export const Notes = ({ report }) => report.notes.length > 0 && (
    <section aria-labelledby="notes-title">
        <h2 id="notes-title">Notes</h2>
        <ul class="notes">{report.notes.map((note, i) => <li key={i}>{note}</li>)}</ul>
    </section>
);
