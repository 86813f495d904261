import { kindWords } from './explain.ts';
import { number, printable, when } from './format.ts';
import type { SessionModel } from './session-model.ts';
import { Tree } from './tree.tsx';

export function FactsView({ model }: { readonly model: SessionModel }): preact.JSX.Element {
  const { value: facts } = model.facts;
  if (facts === undefined) return <p class="empty">Reading…</p>;
  const { session, metadata, protocol } = facts;
  const lease = session.kind === 'node' ? (metadata as { leaseUntil?: unknown }).leaseUntil : undefined;
  const list: readonly (readonly [string, string])[] = [
    ['Kind', `${session.kind} – ${kindWords(session.kind).meaning}`],
    [
      'Owner',
      session.principal === null ? 'Nobody: who knows the id can use the session' : printable(session.principal),
    ],
    ['Created', when(session.createdAt)],
    ['Last active', when(session.lastActiveAt)],
    ['Expires', when(session.expiresAt)],
    ['Newest event', session.lastSeq === 0 ? 'none' : `number ${number(session.lastSeq)}`],
    ...(typeof lease === 'number' ? [['Lease until', when(lease)] as const] : []),
  ];
  return (
    <div class="scroll facts">
      <table>
        <tbody>
          {list.map(([name, value]) => (
            <tr key={name}>
              <th scope="row">{name}</th>
              <td>{value}</td>
            </tr>
          ))}
        </tbody>
      </table>
      <h3>{session.kind === 'task' ? 'The task’s record' : 'Metadata'}</h3>
      <Tree value={metadata} levels={3} />
      <h3>Protocol</h3>
      <Tree value={protocol} levels={2} />
    </div>
  );
}
