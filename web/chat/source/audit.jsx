// The audit: answers that were computed again in float64, in the background.
import { count, key, number, percent, place } from '../../shared/format.js';
import { Term } from '../../shared/terms.jsx';

const nats = (x) => (x === null ? 'not finite' : `${number(x)} nats`);

function Worst({ worst, has, select }) {
    if (!worst) return 'none yet';
    const name = key(worst.stage, worst.layer);
    return (
        <>
            {number(worst.relative_error)} in <code>{place(worst.stage, worst.layer)}</code><br />
            {has(name) && <button type="button" onClick={() => select(name)}>Show</button>}
        </>
    );
}

const rows = [
    ['Requests audited', 'Answers that were computed again, since the server started.', (a) => `${a.requests.toLocaleString('en')}${a.waiting > 0 ? `, ${a.waiting} waiting` : ''}`],
    ['Left out', 'Chosen, but too many were waiting, or the answer was too long.', (a) => (a.dropped + a.too_long).toLocaleString('en')],
    ['Not reproduced', 'Answers that came out otherwise when the same engine computed them again, alone. There must be none.', (a) => (a.not_reproduced > 0 ? <b class="beyond">{a.not_reproduced.toLocaleString('en')}</b> : 'none')],
    ['Tokens compared', 'Each one is a whole distribution over the vocabulary.', (a) => a.tokens.toLocaleString('en')],
    [<><Term name="KL" />, mean</>, 'How far the probabilities of the next token are from the exact ones. 0 means that they are the same.', (a) => nats(a.kl_mean)],
    ['KL, largest', 'The same for the worst token.', (a) => nats(a.kl_max)],
    ['Same first choice', 'How often the likeliest token is the same. Where it is not, two tokens were nearly equal, unless the KL is large.', (a) => percent(a.top1_agreement)],
    ['Worst stage', 'The stage with the largest relative error against float64, given the same inputs.', (a, tools) => <Worst worst={a.worst} {...tools} />],
];

export function Audit({ audit, has, select }) {
    return (
        <section aria-labelledby="audit-title">
            <h2 id="audit-title">Audit</h2>
            {!audit ? <p class="hint">The audit is off. <code>kylin serve --audit 0.01</code> computes one answer in a hundred again in float64, in the background, and compares.</p> : (
                <>
                    <p class="hint">{audit.share === 1 ? 'Every answer' : `About one answer in ${Math.round(1 / audit.share).toLocaleString('en')}`} is computed again by Kylin's <Term name="oracle" />, in the background, and compared token by token.</p>
                    {audit.requests === 0 ? <p>None has been audited yet.</p> : (
                        <div class="scroll" tabIndex={0} role="group" aria-label="Figures of the audit">
                            <table class="values">
                                <tbody>{rows.map(([name, meaning, value], i) => <tr key={i}><th scope="row">{name}<small>{meaning}</small></th><td>{value(audit, { has, select })}</td></tr>)}</tbody>
                            </table>
                        </div>
                    )}
                    <p class="hint">The oracle shares the forward pass with the fast engine: it sees wrong arithmetic, and does not see a wrong order of stages. <code>kylin compare</code> does.</p>
                </>
            )}
        </section>
    );
}
